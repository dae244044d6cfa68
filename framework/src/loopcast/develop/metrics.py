"""The core's own metrics, and evaluations overall and by subpopulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Evaluation, ForecastOutcome, Metric, MetricDefinition, hookimpl

if TYPE_CHECKING:
    from loopcast.develop.judged import Judged

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
) -> Evaluation:
    """Measure a contender overall and by subpopulation."""
    outcome = judged.outcomes[contender]
    subsets = dict(judged.subsets())
    measured: list[Metric] = []
    for definition in metrics:
        values = definition.rows(outcome)
        measured += [_mean(definition, values[rows], name) for name, rows in subsets.items()]
    return Evaluation(
        contender=contender, dataset=dataset, protocol=protocol, metrics=tuple(measured)
    )


def _mean(definition: MetricDefinition, rows: FloatArray, subset: str) -> Metric:
    known = rows[np.isfinite(rows)]
    # An average over a part of the rows would look better than it is.
    if len(known) < len(rows) or not len(rows):
        return Metric(name=definition.name, value=None, subset=subset, count=len(rows))
    value = float(known.mean())
    return Metric(
        name=definition.name,
        value=float(np.sqrt(value)) if definition.root else value,
        subset=subset,
        count=len(rows),
    )
