"""The verdict on every series of a panel, and the judged rows of some.

Thousands of series have millions of judged rows, each with a forecast and its quantiles by every
contender. All are measured, a part of the series at a time; only the rows of the series that
people look at and that decide between versions are kept: the top of the hierarchy, its largest
parts, and the series on which the candidate was furthest behind the baselines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Evaluation, Kpi, Metric, MetricDefinition
from loopcast.develop.forecast.intervals import honest_quantiles
from loopcast.develop.forecast.judged import judged_forecasts
from loopcast.develop.metrics import evaluate

if TYPE_CHECKING:
    from loopcast.api import Judged
    from loopcast.develop.forecast.backtest import Predictions
    from loopcast.develop.forecast.course import ForecastCourse

Columns = NDArray[np.intp]

SERIES_AT_ONCE = 256
LARGEST, WORST = 24, 12  # series whose rows are kept, where there are more in all


@dataclass(frozen=True, eq=False, kw_only=True)
class Reconciled:
    """What all contenders forecast at the finest step, and what that is judged by.

    Attributes
    ----------
    predictions
        By contender, the candidate first, on the same origins.
    heads
        Series that the overall value is about.
    day_type
        Of each row of the predictions.
    nonnegative
        Whether forecasts are kept at zero and above.
    """

    predictions: Mapping[str, Predictions]
    heads: Sequence[str]
    day_type: NDArray[np.str_]
    nonnegative: bool

    def judged(self, columns: Columns, course: ForecastCourse) -> Judged:
        """Lay the judged rows of some series out, each with honest quantiles."""
        first = course.plan.calibration
        chosen = {label: own.only(columns) for label, own in self.predictions.items()}
        quantiles = {
            label: honest_quantiles(own, course.schema.horizon, first, nonnegative=self.nonnegative)
            for label, own in chosen.items()
        }
        return judged_forecasts(
            chosen, quantiles, first=first, heads=self.heads, day_type=self.day_type
        )


def judge_all(
    reconciled: Reconciled, course: ForecastCourse, dataset: str, *, keep: Collection[str] = ()
) -> tuple[Judged, tuple[Evaluation, ...]]:
    """Measure all contenders on every series, and keep the judged rows of some.

    Parameters
    ----------
    keep
        Series whose rows are kept; where it is empty, those that decide between contenders.
    """
    candidate = reconciled.predictions[course.candidate.label]
    width = len(candidate.series)
    protocol = course.plan.describe(course.schema.horizon)
    found: dict[str, list[Evaluation]] = {label: [] for label in reconciled.predictions}
    for columns in np.array_split(np.arange(width), -(-width // SERIES_AT_ONCE)):
        judged = reconciled.judged(columns, course)
        for label, parts in found.items():
            parts.append(
                evaluate(judged, label, course.metrics, dataset=dataset, protocol=protocol)
            )
        if not judged.overall.any():
            for parts in found.values():
                parts[-1] = _of_series_alone(parts[-1])
    evaluations = tuple(joined(parts, course.metrics) for parts in found.values())
    kept = (
        np.flatnonzero(np.isin(candidate.series, list(keep)))
        if keep
        else _kept(candidate, evaluations, course.logical_model.kpi, reconciled.heads)
    )
    if len(kept) < width or width > SERIES_AT_ONCE:
        judged = reconciled.judged(kept, course)
    return judged, evaluations


def _of_series_alone(evaluation: Evaluation) -> Evaluation:
    """Leave out what is about the overall value, where that is about other series."""
    own = tuple(m for m in evaluation.metrics if m.subset.startswith("series="))
    return Evaluation(
        contender=evaluation.contender,
        dataset=evaluation.dataset,
        protocol=evaluation.protocol,
        metrics=own,
    )


def joined(parts: Sequence[Evaluation], metrics: Sequence[MetricDefinition]) -> Evaluation:
    """Join evaluations of different rows into the one that all rows together have.

    A metric that is no mean of rows has no value where a subset is in several parts.
    """
    definitions = {definition.name: definition for definition in metrics}
    by_name: dict[tuple[str, str], list[Metric]] = {}
    for part in parts:
        for metric in part.metrics:
            by_name.setdefault((metric.name, metric.subset), []).append(metric)
    first = parts[0]
    return Evaluation(
        contender=first.contender,
        dataset=first.dataset,
        protocol=first.protocol,
        metrics=tuple(
            each[0] if len(each) == 1 else _mean(each, definitions[name])
            for (name, _), each in by_name.items()
        ),
    )


def _mean(parts: Sequence[Metric], definition: MetricDefinition) -> Metric:
    counts = np.array([part.count for part in parts], dtype=np.float64)
    values = np.array([np.nan if part.value is None else part.value for part in parts])
    total = float((values**2 if definition.root else values) @ counts / counts.sum())
    mean = np.sqrt(total) if definition.root else total
    known = definition.rows is not None and np.isfinite(mean)
    return Metric(
        name=parts[0].name,
        value=float(mean) if known else None,
        subset=parts[0].subset,
        count=sum(part.count for part in parts),
    )


def _kept(
    candidate: Predictions, evaluations: Sequence[Evaluation], kpi: Kpi, heads: Sequence[str]
) -> Columns:
    """Return the series whose judged rows are kept: all, if they are few.

    Series of any size are compared by how much better the best baseline did.
    """
    width = len(candidate.series)
    if width <= LARGEST + WORST:
        return np.arange(width)
    own, *others = (_by_series(each, kpi.metric, candidate.series) for each in evaluations)
    if kpi.direction == "higher":
        own, others = -own, [-other for other in others]
    rival = np.fmin.reduce(others) if others else np.zeros(width)
    with np.errstate(divide="ignore", invalid="ignore"):
        behind = (own - rival) / np.abs(rival) if others else own
    size = np.nan_to_num(np.abs(candidate.actual)).mean(axis=0)
    largest = np.lexsort((-size, ~np.isin(candidate.series, heads)))[:LARGEST]
    behind[~np.isfinite(behind)] = -np.inf
    behind[largest] = -np.inf
    worst = np.argsort(-behind, kind="stable")[:WORST]
    return np.sort(np.concatenate([largest, worst[np.isfinite(behind[worst])]]))


def _by_series(evaluation: Evaluation, metric: str, series: Sequence[str]) -> NDArray[np.float64]:
    """Return a metric of each series, NaN where it is undefined."""
    known = {m.subset: m.value for m in evaluation.metrics if m.name == metric}
    values = [known.get(f"series={name}") for name in series]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
