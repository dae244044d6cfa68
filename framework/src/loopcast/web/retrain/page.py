"""The page of a round of retraining: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from loopcast.iterate.retrain.report import Result, Retrained, counts, reasons
from loopcast.web import formats
from loopcast.web.page import Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from datetime import datetime

    from loopcast.api import LogicalModel

ROWS = 500
"""Segments that the page lists one by one; the summary lists all."""

REASONS = 20

NAMED = 5
"""Segments that are named beside their reason."""

_VERDICTS: Mapping[Result, str] = {"released": "good", "proposed": "open", "failed": "bad"}
_WORDS: Mapping[Result, tuple[str, str]] = {
    "failed": ("could not be trained", "could not be trained"),
    "proposed": (
        "has a new version that passed its gates, and a person decides",
        "have new versions that passed their gates, and a person decides",
    ),
    "released": ("has a new champion", "have new champions"),
    "held back": (
        "was trained and stopped by a gate, or waits for a person to choose it",
        "were trained and stopped by a gate, or wait for a person to choose them",
    ),
    "not better": (
        "was trained and is not better than its champion",
        "were trained and are not better than their champions",
    ),
    "kept": ("has no data that is newer", "have no data that is newer"),
    "due": ("would be trained", "would be trained"),
    "not due": ("is not due", "are not due"),
    "frozen": ("is frozen", "are frozen"),
    "off": ("is off", "are off"),
}
"""Said of one segment and of several; what somebody has to do something about comes first."""


def render(
    model: LogicalModel,
    items: Sequence[Retrained],
    moment: datetime,
    commands: Sequence[str],
    seconds: Mapping[str, float],
) -> str:
    """Return what became of every segment as one HTML file that needs no network.

    Parameters
    ----------
    commands
        What a person types to release what is proposed.
    seconds
        By stage.
    """
    found = counts(items)
    return render_page(
        "retrain.html.j2",
        title=f"{model.title}: retraining",
        model=model,
        moment=f"{moment:%Y-%m-%d %H:%M}Z",
        key_figures=_key_figures(found, seconds),
        findings=_findings(found),
        commands=commands,
        reasons=_reasons(items),
        segments=_segments(model, items),
        left_out=max(len(items) - ROWS, 0),
    )


def _key_figures(found: Mapping[str, int], seconds: Mapping[str, float]) -> list[KeyFigure]:
    total = sum(found[name] for name in get_args(Result))
    figures = [
        KeyFigure(label="segments", value=f"{total:,}"),
        KeyFigure(label="retrained", value=f"{found['retrained']:,}"),
        KeyFigure(label="new versions", value=f"{found['new versions']:,}"),
        KeyFigure(label="better", value=f"{found['better']:,}"),
        KeyFigure(label="failed", value=f"{found['failed']:,}"),
    ]
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    return [*figures, KeyFigure(label="took", value=f"{sum(seconds.values()):.1f} s", detail=took)]


def _findings(found: Mapping[str, int]) -> list[Finding]:
    return [
        Finding(
            verdict=_VERDICTS.get(name, "open"),
            text=f"{found[name]:,} {one if found[name] == 1 else several}.",
        )
        for name, (one, several) in _WORDS.items()
        if found[name]
    ]


def _reasons(items: Sequence[Retrained]) -> Table:
    rows = tuple(
        cells(f"{len(found.segments):,}", result, found.reason, _which(found.segments))
        for result in _WORDS
        for found in reasons(items, result=result)[:REASONS]
    )
    return Table(
        caption="Segments by what became of them, and why",
        columns=("segments", "result", "why", "which"),
        rows=rows,
        prose=True,
    )


def _which(segments: Sequence[str]) -> str:
    """Name the first of some segments."""
    more = len(segments) - NAMED
    named = ", ".join(segments[:NAMED]) or "–"
    return f"{named} and {more:,} more" if more > 0 else named


def _segments(model: LogicalModel, items: Sequence[Retrained]) -> Table:
    order = list(_WORDS)
    shown = sorted(items, key=lambda item: (order.index(item.result), item.segment))[:ROWS]
    rows = tuple(
        cells(
            item.segment or "–",
            item.result,
            (item.version or "")[:6],
            _number(item.kpi),
            _number(item.champion_kpi),
            (item.remedy or "").replace("_", " "),
            f"{item.why}. {item.reason}" if item.reason else item.why,
        )
        for item in shown
    )
    kpi = model.kpi.metric
    columns = ("segment", "result", "version", kpi, f"{kpi} of the champion", "by", "why")
    return Table(
        caption="Each segment, those that failed first", columns=columns, rows=rows, prose=True
    )


def _number(value: float | None) -> str:
    return "" if value is None else formats.number(value, formats.decimals([value], significant=4))
