"""The page of cut-offs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.web import formats
from loopcast.web.charts import Axis, Band, Line, LineChart, compact
from loopcast.web.cutoffs.words import AMOUNTS, amount, goal_words, share
from loopcast.web.page import Figure, Table, cells, render_page
from loopcast.web.reliability import reliability_figure

if TYPE_CHECKING:
    from loopcast.deploy.cutoffs import Cutoffs
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.develop.score.cutoffs import Choice, Operating


def render(found: Cutoffs) -> str:
    """Return the page as one HTML file that needs no other file and no network."""
    return render_page(
        "cutoffs.html.j2",
        title=f"Cut-offs of {found.logical_model.title}",
        found=found,
        choices=_choices(found),
        figures=[*_curves(found), reliability_figure([("this version", "model", found.outcome)])],
        groups=_groups(found),
    )


def _unit(found: Cutoffs) -> str:
    profits = found.logical_model.decision.profits
    return profits.unit if profits is not None else ""


def _profit_title(found: Cutoffs) -> str:
    return f"profit a case, {_unit(found)}" if _unit(found) else "profit a case"


def _rows(found: Cutoffs) -> list[tuple[str, Operating, Choice | None]]:
    """Return the cut-offs that the page is about: what each is for, in the order of its number."""
    configured = [] if found.configured is None else [("as configured", found.configured, None)]
    return [*configured, *((goal_words(c.goal), c.at, c) for c in found.choices)]


def _choices(found: Cutoffs) -> Table:
    rows = []
    for number, (name, at, choice) in enumerate(_rows(found), start=1):
        moved = formats.interval(choice.low, choice.high, places=3) if choice else formats.MISSING
        expected = formats.number(choice.expected if choice else None)
        cutoff = formats.number(at.cutoff, 3)
        rows.append(cells(f"{number}. {name}", cutoff, moved, *_measured(at), expected))
    return Table(
        caption="Cut-offs, with 95 % intervals",
        columns=("cut-off for", "cut-off", "its interval", *_titles(found), "expected"),
        rows=tuple(rows),
    )


def _titles(found: Cutoffs) -> tuple[str, ...]:
    amounts = () if found.used.granted_amount is None else AMOUNTS
    return "granted", "events among them", *amounts, _profit_title(found)


def _measured(at: Operating) -> tuple[str, ...]:
    amounts = [share(one) for one in (at.granted_amount, at.events_amount) if one is not None]
    return share(at.granted), share(at.events), *amounts, amount(at.profit)


def _groups(found: Cutoffs) -> Table | None:
    if not found.by:
        return None
    rows = tuple(cells(name, f"{at.rows:,}", *_measured(at)) for name, at in found.by.items())
    return Table(
        caption=f"By subpopulation, at {formats.number(found.used.cutoff, 3)}",
        columns=("subpopulation", "rows", *_titles(found)),
        rows=rows,
    )


def _curves(found: Cutoffs) -> list[Figure]:
    events = [at.events for at in found.curve]
    title = "Events among those granted"
    figures = [_curve(found, "events", title, unit="%", rates=events, scale=100.0)]
    profits = [at.profit for at in found.curve if at.profit is not None]
    if profits:
        unit = _unit(found)
        figures.insert(
            0, _curve(found, "profit", "Profit a case", unit=unit, rates=profits, scale=1.0)
        )
    return figures


def _curve(
    found: Cutoffs, name: str, title: str, *, unit: str, rates: Sequence[Interval], scale: float
) -> Figure:
    granted = [100.0 * at.granted.value for at in found.curve]
    low, high = ([scale * getattr(rate, end) for rate in rates] for end in ("low", "high"))
    values = compact([scale * rate.value for rate in rates])
    marks = tuple(
        (100.0 * at.granted.value, str(number)) for number, (_, at, _) in enumerate(_rows(found), 1)
    )
    return Figure(
        id=name,
        title=title,
        text="By the share of cases that is granted; numbers are those of the choices.",
        chart=LineChart(
            x=Axis(values=compact(granted), title="Share granted", unit="%"),
            title=title,
            unit=unit,
            lines=(Line(label="", role="model", values=values),),
            bands=(Band(label="", role="model", low=compact(low), high=compact(high)),),
            marks=marks,
            zero=scale != 1.0,
        ),
    )
