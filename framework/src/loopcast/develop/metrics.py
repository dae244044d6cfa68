"""The core's own metrics, and evaluations overall and by subpopulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    Evaluation,
    ForecastOutcome,
    Judged,
    Metric,
    MetricDefinition,
    Outcome,
    Rows,
    ScoreOutcome,
    hookimpl,
    row_count,
    take,
)

FloatArray = NDArray[np.float64]


def absolute_percentage(outcome: ForecastOutcome) -> FloatArray:
    """100 |y − ŷ| / |y|; undefined where y is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 100.0 * np.abs(outcome.actual - outcome.mean) / np.abs(outcome.actual)
    return np.where(outcome.actual == 0, np.nan, ratio)


def squared(outcome: ForecastOutcome) -> FloatArray:
    """(y − ŷ)²."""
    return np.asarray((outcome.actual - outcome.mean) ** 2)


def absolute(outcome: ForecastOutcome) -> FloatArray:
    """|y − ŷ|."""
    return np.abs(outcome.actual - outcome.mean)


def pinball(outcome: ForecastOutcome) -> FloatArray:
    """Mean over the levels τ of (y − q) τ where y ≥ q, else (q − y)(1 − τ).

    Source: R. Koenker and G. Bassett (1978), Regression quantiles, Econometrica 46.
    """
    above = outcome.actual[:, None] - outcome.quantiles
    loss = np.maximum(outcome.levels * above, (outcome.levels - 1.0) * above)
    return np.asarray(loss.mean(axis=1))


def coverage(outcome: ForecastOutcome) -> FloatArray:
    """1 where y lies between the outermost quantiles, else 0."""
    inside = (outcome.actual >= outcome.quantiles[:, 0]) & (
        outcome.actual <= outcome.quantiles[:, -1]
    )
    return inside.astype(np.float64)


@hookimpl
def loopcast_metrics() -> Sequence[MetricDefinition]:
    """Offer the metrics of the task *forecast*."""

    def forecast(name: str, title: str, rows: object, *, root: bool = False) -> MetricDefinition:
        return MetricDefinition(
            name=name,
            title=title,
            task="forecast",
            direction="higher" if name == "coverage" else "lower",
            rows=rows,  # type: ignore[arg-type]
            root=root,
            within=(0.0, 1.0 if name == "coverage" else math.inf),
        )

    return [
        forecast("mape", "MAPE, %", absolute_percentage),
        forecast("rmse", "RMSE", squared, root=True),
        forecast("mae", "MAE", absolute),
        forecast("pinball", "mean pinball loss", pinball),
        forecast("coverage", "coverage of the 90 % interval", coverage),
    ]


def evaluate(
    judged: Judged,
    contender: str,
    metrics: Sequence[MetricDefinition],
    *,
    dataset: str,
    protocol: str,
    by: Collection[str] | None = None,
) -> Evaluation:
    """Measure a contender overall and by subpopulation.

    Parameters
    ----------
    by
        Attributes whose subpopulations are wanted; all of them where ``None``.
    """
    outcome = judged.outcomes[contender]
    subsets = dict(judged.subsets(by))
    measured = [m for definition in metrics for m in measure(outcome, definition, subsets)]
    return Evaluation(
        contender=contender, dataset=dataset, protocol=protocol, metrics=tuple(measured)
    )


def known_of(
    metrics: Sequence[MetricDefinition], evaluations: Collection[Evaluation]
) -> tuple[MetricDefinition, ...]:
    """Return the metrics that are defined for somebody: none of ratings where there are none."""
    return tuple(
        metric
        for metric in metrics
        if any(evaluation.value(metric.name) is not None for evaluation in evaluations)
    )


def in_full(
    judged: Judged, found: Sequence[Evaluation], metrics: Sequence[MetricDefinition], dataset: str
) -> tuple[Evaluation, ...]:
    """Measure those again, by all metrics and subpopulations, who were judged by the KPI alone.

    Parameters
    ----------
    dataset
        Fingerprint of the judged part of the data.
    """
    return tuple(
        evaluate(judged, one.contender, metrics, dataset=dataset, protocol=one.protocol)
        for one in found
    )


def measure(
    outcome: Outcome, definition: MetricDefinition, subsets: Mapping[str, Rows]
) -> Iterator[Metric]:
    """Compute one metric on subsets of an outcome's rows.

    Parameters
    ----------
    subsets
        Positions of rows by ``attribute=value``; the empty string for the overall value.
    """
    value_of = _mean(outcome, definition) if definition.rows else _whole(outcome, definition)
    of_all: float | None = None
    for subset, rows in subsets.items():
        if len(rows) < row_count(outcome):
            value = value_of(rows)
        else:  # a subpopulation may be everybody too
            value = of_all = value_of(rows) if of_all is None else of_all
        known = float(value) if math.isfinite(value) else None
        yield Metric(name=definition.name, value=known, subset=subset, count=len(rows))


def _mean(outcome: Outcome, definition: MetricDefinition) -> Callable[[Rows], float]:
    assert definition.rows is not None
    values, root = definition.rows(outcome), definition.root
    weight = outcome.weight if isinstance(outcome, ScoreOutcome) else np.ones(len(values))
    return lambda rows: mean_of_rows(values[rows], weight[rows], root=root)


def _whole(outcome: Outcome, definition: MetricDefinition) -> Callable[[Rows], float]:
    whole, count = definition.whole, row_count(outcome)
    assert whole is not None

    def value_of(rows: Rows) -> float:
        if not len(rows):
            return math.nan
        return whole(outcome if len(rows) == count else take(outcome, rows))

    return value_of


def mean_of_rows(rows: FloatArray, weight: FloatArray, *, root: bool = False) -> float:
    """Return the weighted mean of a metric's rows, NaN where one of them is undefined.

    An average over a part of the rows would look better than it is.
    """
    total = weight.sum()
    if not total:
        return float("nan")
    value = float(rows @ weight / total)
    return float(np.sqrt(value)) if root else value
