"""The page of an experiment: counts while it is sealed, effects with intervals after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.iterate.experiments.results import VALIDITY
from loopcast.web import formats
from loopcast.web.experiment import figures
from loopcast.web.page import Cell, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.api import Experiment
    from loopcast.iterate.experiments.results import Contrast, Progress, Result

KINDS = {"shadow": "Shadow", "ab": "A/B test", "bandit": "Bandit"}


def render(item: Experiment, progress: Progress, result: Result | None) -> str:
    """Return an experiment as one HTML file that needs no other file and no network.

    Parameters
    ----------
    result
        ``None`` while it is sealed: the page says then how many outcomes are known, and nothing
        of which arm is better.
    """
    return render_page(
        "experiment.html.j2",
        title=f"{KINDS[item.kind]} “{item.name}” of {item.place}",
        lead=_lead(item),
        byline=_byline(item, progress),
        key_figures=_key_figures(progress, result),
        findings=[*_findings(item, progress, result), *_doubts(progress)],
        effects=figures.effects(result) if result is not None else [],
        course=figures.course(result) if result is not None else [],
        contrasts=_contrasts(result) if result is not None else None,
        others=_others(result) if result is not None else None,
        counts=_counts(progress),
        declaration=_declaration(item),
        place=item.place,
        by=item.by,
    )


def _lead(item: Experiment) -> str:
    better = "a higher value is better" if item.direction == "higher" else "a lower one is better"
    what = "the outcome itself" if item.metric == "outcome" else item.metric
    return f"{len(item.arms)} arms, compared by {what}: {better}."


def _byline(item: Experiment, progress: Progress) -> str:
    begun = f"begun on {progress.begun:%Y-%m-%d}" if progress.begun else "not begun"
    ended = f", {progress.state} on {progress.ended:%Y-%m-%d}" if progress.ended else ""
    due = progress.planned and not progress.complete and not progress.ended
    planned = f", outcomes due by {progress.planned:%Y-%m-%d}" if due else ""
    return f"Declared on {item.declared:%Y-%m-%d}, {begun}{ended}{planned}; days in UTC."


def _key_figures(progress: Progress, result: Result | None) -> list[KeyFigure]:
    known, enrolled = sum(progress.known.values()), sum(progress.enrolled.values())
    found = [KeyFigure(label="outcomes known", value=f"{known:,}", detail=f"of {enrolled:,}")]
    if progress.needed is not None:
        least, share = min(progress.known.values()), min(progress.known.values()) / progress.needed
        detail = f"{least:,} of {progress.needed:,} that each arm needs"
        found.append(
            KeyFigure(label="complete", value=formats.percent(min(share, 1.0), 0), detail=detail)
        )
    for contrast in result.contrasts if result is not None else ():
        interval = formats.interval(contrast.low, contrast.high)
        found.append(
            KeyFigure(
                label=f"{contrast.version[:6]} against the champion",
                value=_signed(contrast.difference),
                detail=interval,
            )
        )
    return found


def _signed(value: float | None) -> str:
    sign = "+" if value is not None and value > 0.0 else ""
    return f"{sign}{formats.number(value)}"


def _findings(item: Experiment, progress: Progress, result: Result | None) -> list[Finding]:
    any_time = item.sequential or item.kind == "bandit"
    if result is None and (any_time or progress.complete):
        told = "'loopcast experiment result' shows the effects."
        return [
            Finding(verdict="open", text=told if any_time else f"The sample is complete: {told}")
        ]
    if result is None:
        sealed = "The result is sealed: looking before the sample is complete finds differences"
        return [Finding(verdict="open", text=f"{sealed} that are none.")]
    verdict = "good" if result.winner else "open"
    # A sentence that begins with the id of a version stays as it is.
    named = result.winner is not None and result.sentence.startswith(result.winner)
    said = result.sentence if named else _capital(result.sentence)
    found = [Finding(verdict=verdict, text=f"{said}.")]
    found += [Finding(verdict="bad", text=f"{_capital(doubt)}.") for doubt in result.doubts]
    found += [Finding(verdict="open", text=f"{_capital(note)}.") for note in result.notes]
    broken = [guard for guard in result.guardrails if guard.verdict == "worse"]
    found += [
        Finding(verdict="bad", text=f"{guard.version} breaks the guardrail {guard.metric}.")
        for guard in broken
    ]
    return [*found, Finding(verdict="open", text=VALIDITY[result.validity])]


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _doubts(progress: Progress) -> list[Finding]:
    found = []
    if progress.interrupted:
        text = f"Interrupted, the champion serves everyone: {progress.interrupted}."
        found.append(Finding(verdict="bad", text=text))
    if progress.crossed:
        text = f"{progress.crossed:,} entities were served by another arm as well."
        found.append(Finding(verdict="open", text=text))
    return found


def _counts(progress: Progress) -> Table:
    needed = f"{progress.needed:,}" if progress.needed is not None else "–"
    rows = tuple(
        cells(version, f"{count:,}", f"{progress.known[version]:,}", needed)
        for version, count in progress.enrolled.items()
    )
    caption = "Entities and outcomes"
    if progress.mismatch is not None:
        caption += f"; an equal division has p = {progress.mismatch:.2g}"
    return Table(caption=caption, columns=("version", "enrolled", "known", "needed"), rows=rows)


_COLUMNS = ("version", "metric", "difference", "low", "high", "p", "verdict")


def _contrasts(result: Result) -> Table:
    rows = tuple(_contrast(found) for found in (*result.contrasts, *result.guardrails))
    return Table(caption="Against the champion", columns=_COLUMNS, rows=rows)


def _contrast(found: Contrast) -> tuple[Cell, ...]:
    numbers = (formats.number(value) for value in (found.difference, found.low, found.high))
    p_value = "–" if found.p_value is None else f"{found.p_value:.2g}"
    return cells(found.version, found.metric, *numbers, p_value, found.verdict)


def _others(result: Result) -> Table | None:
    rows = tuple(
        cells(
            version,
            found.metric,
            *(formats.number(value) for value in (found.first, found.second, found.difference)),
            formats.interval(found.low, found.high),
        )
        for version, differences in result.others.items()
        for found in differences
    )
    columns = ("version", "metric", "champion", "shadow", "difference", "interval")
    return Table(caption="Other metrics", columns=columns, rows=rows) if rows else None


def _declaration(item: Experiment) -> Table:
    said = {
        "arms": ", ".join(item.arms),
        "metric": f"{item.metric}, {item.direction} is better",
        "minimum effect": f"{item.minimum_effect:g}",
        "significance, power": f"{item.significance:g}, {item.power:g}",
        "looked at": "any time" if item.sequential else "once, when complete",
        "guardrails": ", ".join(f"{n} by {v:g}" for n, v in item.guardrails.items()) or "none",
        "enrolment, wait": f"{item.days or '–'} days, {item.wait_days} days",
        "declared by": item.by,
    }
    if item.deviation is not None:
        said["observed before"] = (
            f"mean {formats.number(item.baseline)}, deviation {formats.number(item.deviation)}"
        )
    rows = tuple(cells(name, value) for name, value in said.items())
    return Table(caption="As it was declared", columns=("what", "value"), rows=rows, prose=True)
