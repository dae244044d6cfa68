"""Figures of fairness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from loopcast.web import formats
from loopcast.web.charts import Axis, Dot, DotPlot, Line, LineChart, compact
from loopcast.web.fairness.tables import MOST_DRAWN
from loopcast.web.page import Figure
from loopcast.web.reliability import reliability_figure

if TYPE_CHECKING:
    from loopcast.deploy.fairness import FairnessReport
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.develop.fairness.measures import Fairness, GroupFairness
    from loopcast.develop.fairness.sweep import Sweep

MOST_CURVES = 4
"""Groups whose reliability is drawn, each by itself, since bands would hide each other."""

_MEASURES: Mapping[str, tuple[str, Callable[[GroupFairness], Interval]]] = {
    "granted": ("Decided in favour", lambda one: one.granted),
    "opportunity": ("Decided in favour, of those who deserved it", lambda one: one.opportunity),
    "parity": ("Deserving, of those decided in favour", lambda one: one.parity),
    "calibration": ("Events minus mean probability", lambda one: one.calibration),
}


def by_group(number: int, found: Fairness) -> list[Figure]:
    """Return a figure for each measure, with a row for each group."""
    return [
        Figure(
            id=f"fairness-{number}-{name}",
            title=title,
            alternative=f"{title}, by {found.attribute}",
            chart=DotPlot(rows=tuple(_rows(found, of)), unit="%"),
            legend=False,
        )
        for name, (title, of) in _MEASURES.items()
    ]


def _rows(
    found: Fairness, of: Callable[[GroupFairness], Interval]
) -> Iterator[tuple[str, tuple[Dot, ...]]]:
    crowded = len(found.groups) > MOST_DRAWN
    for one in found.groups:
        measured = of(one)
        if crowded and not one.enough:
            continue
        if np.isfinite(measured.value):
            dot = Dot(
                role="model" if one.enough else "reference",
                label=one.group,
                text=formats.percent(measured.value),
                value=100.0 * measured.value,
                low=100.0 * measured.low if np.isfinite(measured.low) else None,
                high=100.0 * measured.high if np.isfinite(measured.high) else None,
            )
            yield f"{one.group} ({one.rows:,})", (dot,)


def reliability(number: int, attribute: str, report: FairnessReport) -> Iterator[Figure]:
    """Yield how often what was said came true, for each group, or the largest ones of many."""
    groups = report.outcomes.get(attribute, {})
    sizes = sorted((len(outcome.actual) for outcome in groups.values()), reverse=True)
    for place, (group, outcome) in enumerate(groups.items()):
        if len(outcome.actual) >= sizes[:MOST_CURVES][-1]:
            yield reliability_figure(
                [(group, "model", outcome)],
                name=f"reliability-{number}-{place}",
                title=f"What happened of what was said: {group}",
            )


def trade_offs(report: FairnessReport) -> Iterator[Figure]:
    """Yield what each cut-off costs, and the best that can be had of both."""
    for number, (attribute, found) in enumerate(report.sweeps.items()):
        yield _sweep(number, attribute, found, report)
        yield _frontier(number, attribute, found, report.profit_unit)


def _sweep(number: int, attribute: str, found: Sweep, report: FairnessReport) -> Figure:
    lines = (
        ("correct decisions", "model", found.correct),
        ("decided in favour", "reference", found.granted),
        ("smallest ratio of groups", "other-1", found.ratio),
        ("largest gap in opportunity", "other-2", found.gap),
    )
    return Figure(
        id=f"sweep-{number}",
        title=f"Each cut-off, by {attribute}",
        text="The line marks the cut-off that is measured above.",
        chart=LineChart(
            x=Axis(values=compact((100.0 * found.cutoff).tolist()), title="Cut-off", unit="%"),
            title="Share",
            unit="%",
            lines=tuple(
                Line(label=label, role=role, values=compact((100.0 * values).tolist()))
                for label, role, values in lines
            ),
            marks=((100.0 * report.decision.cutoff, ""),),
            zero=True,
        ),
    )


def _frontier(number: int, attribute: str, found: Sweep, profit_unit: str) -> Figure:
    best = np.flatnonzero(found.best)
    best = best[np.argsort(found.ratio[best], kind="stable")]
    earns = bool(np.isfinite(found.profit).all())
    what, unit = ("profit a case", profit_unit) if earns else ("correct decisions", "%")
    values = found.profit[best] if earns else 100.0 * found.correct[best]
    return Figure(
        id=f"frontier-{number}",
        title=f"The best of both, by {attribute}",
        text=f"Cut-offs that no other beats both in {what} and in evenness.",
        chart=LineChart(
            x=Axis(
                values=compact(found.ratio[best].tolist()),
                title="Smallest ratio of decisions in favour; 0.8 by the four-fifths rule",
            ),
            title=what.capitalize(),
            unit=unit,
            lines=(Line(label=what, role="model", values=compact(values.tolist())),),
            marks=((0.8, "four fifths"),),
        ),
        legend=False,
    )
