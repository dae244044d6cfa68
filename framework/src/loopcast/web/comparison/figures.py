"""Figures of a comparison: metrics, subpopulations, errors or calibration, and effects."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Effect, ForecastOutcome, Outcome, RankOutcome, ScoreOutcome, take
from loopcast.web import formats
from loopcast.web.charts import Axis, Band, Dot, DotPlot, Line, LineChart, compact
from loopcast.web.comparison.report import ROLES, ComparisonReport
from loopcast.web.comparison.words import difference_parts, name_of, unit
from loopcast.web.page import Figure, Selector
from loopcast.web.reliability import reliability_figure

if TYPE_CHECKING:
    from loopcast.develop.compare import Difference

FloatArray = NDArray[np.float64]

BINS = 60
LARGEST_ATTRIBUTE = 60


def relative_changes(report: ComparisonReport) -> Figure | None:
    """Return each metric's difference in percent of the first version's value."""
    rows = []
    for found in report.overall:
        if found.difference is None or not found.first:
            continue
        scale = 100.0 / abs(found.first)
        rows.append((name_of(report, found.metric), (_dot(report, found, scale),)))
    if not rows:
        return None
    return Figure(
        id="metrics",
        title="Difference of each metric, relative to " + report.names[0],
        text="Dots with their 95 % intervals; one that does not reach the line is hardly chance.",
        chart=DotPlot(rows=tuple(rows), unit="%"),
    )


def _dot(report: ComparisonReport, found: Difference, scale: float) -> Dot:
    assert found.difference is not None
    return Dot(
        role=ROLES[1],
        label=report.names[1],
        text=formats.quantity(scale * found.difference, "%", 1),
        value=scale * found.difference,
        low=None if found.low is None else scale * found.low,
        high=None if found.high is None else scale * found.high,
    )


def attributes(report: ComparisonReport) -> Selector:
    """Return the choice among attributes with at least two subpopulations."""
    names = tuple(
        name for name in report.judged.attributes if 2 <= len(report.by(name)) <= LARGEST_ATTRIBUTE
    )
    return Selector(group="attribute", label="By", names=names, chosen=names[0] if names else "")


def by_attribute(report: ComparisonReport, choice: Selector) -> list[Figure]:
    """Return the deciding metric's difference by subpopulation, a figure for each attribute."""
    name = name_of(report, report.kpi.metric)
    of = unit(report, report.kpi.metric)
    return [
        Figure(
            id=f"by-{attribute}",
            title=f"Difference of {name} by {attribute.replace('_', ' ')}",
            text="The intervals hold one by one; of many, some miss by chance.",
            chart=DotPlot(rows=tuple(_subset_rows(report, attribute)), unit=of),
            view=choice.view(attribute),
        )
        for attribute in choice.names
    ]


def _subset_rows(report: ComparisonReport, attribute: str) -> Iterator[tuple[str, tuple[Dot, ...]]]:
    for found in report.by(attribute):
        if found.difference is not None:
            dot = Dot(
                role=ROLES[1],
                label=report.names[1],
                text=difference_parts(report, found)[0],
                value=found.difference,
                low=found.low,
                high=found.high,
            )
            yield found.subset.partition("=")[2], (dot,)


def of_task(report: ComparisonReport) -> list[Figure]:
    """Return residuals of forecasts, calibration of scores, or hits of lists."""
    rows = np.flatnonzero(report.judged.overall)
    outcomes = [report.judged.outcomes[version.id] for version in report.versions]
    if all(isinstance(outcome, ForecastOutcome) for outcome in outcomes):
        return [_residuals(report, outcomes, rows)]
    if all(isinstance(outcome, ScoreOutcome) for outcome in outcomes):
        return [_calibration(report, outcomes, rows), _scores(report, outcomes, rows)]
    return [_hits(report, outcomes)]


def _lines(report: ComparisonReport, values: list[FloatArray]) -> tuple[Line, ...]:
    return tuple(
        Line(label=name, role=role, values=compact(found.tolist()))
        for name, role, found in zip(report.names, ROLES, values, strict=True)
    )


def _residuals(report: ComparisonReport, outcomes: list[Outcome], rows: NDArray[np.intp]) -> Figure:
    errors = [
        (outcome.actual - outcome.mean)[rows]
        for outcome in outcomes
        if isinstance(outcome, ForecastOutcome)
    ]
    edges = _edges(np.concatenate(errors))
    shares = [100.0 * np.histogram(error, edges)[0] / len(error) for error in errors]
    return Figure(
        id="residuals",
        title="Errors: actual minus forecast",
        text="The narrower and the closer to zero, the better. The outermost 1 % is not drawn.",
        chart=LineChart(
            x=Axis(
                values=compact(((edges[:-1] + edges[1:]) / 2).tolist()),
                title="Error",
                unit=report.unit,
            ),
            title="Share of rows",
            unit="%",
            lines=_lines(report, shares),
            marks=((0.0, ""),),
            zero=True,
        ),
    )


def _edges(values: FloatArray) -> FloatArray:
    low, high = np.quantile(values, [0.005, 0.995])
    half = max(abs(low), abs(high), 1e-12)
    return np.linspace(-half, half, BINS + 1)


def _calibration(
    report: ComparisonReport, outcomes: list[Outcome], rows: NDArray[np.intp]
) -> Figure:
    return reliability_figure(
        [
            (name, role, take(outcome, rows))
            for name, role, outcome in zip(report.names, ROLES, outcomes, strict=True)
            if isinstance(outcome, ScoreOutcome)
        ]
    )


def _scores(report: ComparisonReport, outcomes: list[Outcome], rows: NDArray[np.intp]) -> Figure:
    edges = np.linspace(0.0, 1.0, BINS // 2 + 1)
    shares = [
        100.0 * np.histogram(o.probability[rows], edges)[0] / len(rows)
        for o in outcomes
        if isinstance(o, ScoreOutcome)
    ]
    return Figure(
        id="scores",
        title="How scores are spread",
        chart=LineChart(
            x=Axis(values=compact(((edges[:-1] + edges[1:]) / 2).tolist()), title="Probability"),
            title="Share of rows",
            unit="%",
            lines=_lines(report, shares),
            zero=True,
        ),
    )


def _hits(report: ComparisonReport, outcomes: list[Outcome]) -> Figure:
    shares = [_hits_by_place(o) for o in outcomes if isinstance(o, RankOutcome)]
    return Figure(
        id="hits",
        title="Hits by place in the list",
        text="Share of lists whose item at this place was chosen.",
        chart=LineChart(
            x=Axis(values=list(range(1, len(shares[0]) + 1)), title="Place"),
            title="Share of lists",
            unit="%",
            lines=_lines(report, shares),
            zero=True,
        ),
    )


def _hits_by_place(outcome: RankOutcome) -> FloatArray:
    items = outcome.ranking.items.astype(np.int64)
    width = len(outcome.popularity)
    chosen = outcome.chosen_entity.astype(np.int64) * width + outcome.chosen_item
    listed = np.arange(len(items))[:, None] * width + items
    return np.asarray(100.0 * (np.isin(listed, chosen) & (items >= 0)).mean(axis=0))


def effects(report: ComparisonReport) -> list[Figure]:
    """Return what both learned of each input that both can show, drawn over each other."""
    groups = [_curves(report.effects.get(version.id, ())) for version in report.versions]
    shared = [key for key in groups[0] if key in groups[1]]
    return [
        _effect(report, f"effect-{number}", key, groups[0][key], groups[1][key])
        for number, key in enumerate(shared)
    ]


def _curves(found: object) -> dict[tuple[str, str, str], Effect]:
    """Curves over numbers, by series, input and level."""
    assert isinstance(found, tuple | list)
    return {
        (effect.series, effect.title, effect.by): effect
        for effect in found
        if isinstance(effect, Effect) and not effect.labels
    }


def _effect(
    report: ComparisonReport, name: str, key: tuple[str, str, str], first: Effect, second: Effect
) -> Figure:
    series, title, by = key
    x = np.unique(np.concatenate([first.x, second.x]))
    curves = (first, second)

    def on_grid(curve: Effect, values: FloatArray) -> list[float | None]:
        return compact(np.interp(x, curve.x, values, left=np.nan, right=np.nan).tolist())

    where = ", ".join(filter(None, [by, series if len(_series(report)) > 1 else ""]))
    return Figure(
        id=name,
        title=title[:1].upper() + title[1:] + (f" ({where})" if where else ""),
        chart=LineChart(
            x=Axis(values=compact(x.tolist()), title=title, unit=first.unit),
            title="Effect",
            unit=report.unit,
            lines=tuple(
                Line(label=label, role=role, values=on_grid(curve, curve.value))
                for label, role, curve in zip(report.names, ROLES, curves, strict=True)
            ),
            bands=tuple(
                Band(
                    label="",
                    role=role,
                    low=on_grid(curve, curve.low),
                    high=on_grid(curve, curve.high),
                )
                for role, curve in zip(ROLES, curves, strict=True)
                if np.any(curve.high > curve.low)
            ),
            height=220,
        ),
    )


def _series(report: ComparisonReport) -> list[str]:
    found = sorted(effect.series for group in report.effects.values() for effect in group)
    return [name for name, _ in groupby(found)]
