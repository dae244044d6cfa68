"""The page of vintages: months of scores, as their outcomes mature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.api import place_name
from loopcast.web import formats
from loopcast.web.charts import Axis, Dot, DotPlot, Line, LineChart, compact, level_role
from loopcast.web.page import Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.api import LogicalModel
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.monitor.vintages import Vintage

MOST_LINES = 7
"""Vintages that are drawn, the youngest of those with a month on book; the table has all."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Vintages of a segment, as somebody looked at them.

    Attributes
    ----------
    window
        Months on book within which the event is scored.
    at
        The moment of the look.
    """

    model: LogicalModel
    segment: str
    window: int
    at: datetime
    vintages: Sequence[Vintage]


def render(found: Followed) -> str:
    """Return the page as one HTML file that needs no other file and no network."""
    return render_page(
        "vintages.html.j2",
        title=f"Vintages of {found.model.title}",
        model=found.model,
        place=place_name(found.model.name, found.segment),
        moment=f"{found.at:%Y-%m-%d %H:%M}Z",
        window=found.window,
        key_figures=_key_figures(found.vintages),
        findings=_findings(found.vintages),
        figures=[one for one in (_course(found), _ratios(found.vintages)) if one is not None],
        came=_came(found.vintages),
        triangle=_triangle(found),
    )


def _key_figures(vintages: Sequence[Vintage]) -> list[KeyFigure]:
    cases = sum(one.cases for one in vintages)
    mature = sum(one.mature for one in vintages)
    return [
        KeyFigure(label="cases", value=f"{cases:,}", detail=f"in {len(vintages)} months"),
        KeyFigure(label="mature vintages", value=str(mature), detail=f"of {len(vintages)}"),
    ]


def _findings(vintages: Sequence[Vintage]) -> list[Finding]:
    told = [(one.month, one.ratio) for one in vintages if one.ratio is not None]
    if not told:
        text = "No vintage is old enough to say how events come in, so that nothing is expected."
        return [Finding(verdict="open", text=text)]
    worse = [month for month, ratio in told if ratio.low > 1.0]
    fewer = [month for month, ratio in told if ratio.high < 1.0]
    found = []
    if worse:
        text = f"More events than expected, beyond chance: {', '.join(worse)}."
        found.append(Finding(verdict="bad", text=text))
    if fewer:
        text = f"Fewer events than expected, beyond chance: {', '.join(fewer)}."
        found.append(Finding(verdict="open", text=text))
    even = len(told) - len(worse) - len(fewer)
    text = f"{even} of {len(told)} vintages have as many events as expected, as far as can be told."
    return [*found, Finding(verdict="good" if even == len(told) else "open", text=text)]


def _course(found: Followed) -> Figure | None:
    drawn = [one for one in found.vintages if one.age][-MOST_LINES:]
    if not drawn:
        return None
    longest = max(one.age for one in drawn)
    lines = tuple(
        Line(
            label=one.month,
            role=level_role(number),
            values=[
                *compact([0.0, *(100.0 * share for share in one.shares)]),
                *[None] * (longest - one.age),
            ],
        )
        for number, one in enumerate(drawn)
    )
    return Figure(
        id="course",
        title="Events by months on book",
        text="Each vintage up to the age that all of its cases have reached.",
        chart=LineChart(
            x=Axis(values=list(range(longest + 1)), title="Months on book"),
            title="Share of cases with the event",
            unit="%",
            lines=lines,
            zero=True,
        ),
    )


def _ratios(vintages: Sequence[Vintage]) -> Figure | None:
    rows = tuple((one.month, (_dot(one.ratio),)) for one in vintages if one.ratio is not None)
    if not rows:
        return None
    return Figure(
        id="ratios",
        title="Events that happened over those expected",
        text="With 95 % intervals; at 1, scores said what came. Young vintages are compared with "
        "what older ones had seen at their age.",
        chart=DotPlot(rows=rows),
    )


def _dot(ratio: Interval) -> Dot:
    even = ratio.low <= 1.0 <= ratio.high
    return Dot(
        role="model" if even else "other-1",
        label="as expected" if even else "not as expected",
        text=_words(ratio),
        value=ratio.value,
        low=ratio.low,
        high=ratio.high,
    )


def _words(found: Interval | None) -> str:
    if found is None:
        return formats.MISSING
    return f"{formats.number(found.value, 2)} ({formats.interval(found.low, found.high, places=2)})"


def _came(vintages: Sequence[Vintage]) -> Table:
    return Table(
        caption="What was said, and what came of it by its age",
        columns=(
            "month",
            "cases",
            "age",
            "said",
            "expected by its age",
            "happened / expected",
            "AUC",
        ),
        rows=tuple(
            cells(
                one.month,
                f"{one.cases:,}",
                f"{one.age}" if one.mature else f"{one.age}, not mature",
                formats.percent(one.said),
                formats.percent(one.expected),
                _words(one.ratio),
                _words(one.auc),
            )
            for one in vintages
        ),
    )


def _triangle(found: Followed) -> Table:
    ages = range(1, found.window + 1)
    return Table(
        caption="Share of events by months on book",
        columns=("month", *map(str, ages)),
        rows=tuple(
            cells(
                one.month,
                *(formats.percent(one.shares[age - 1]) if age <= one.age else "" for age in ages),
            )
            for one in found.vintages
        ),
    )
