"""What is measured of entities: a registered metric, or the outcome itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    OUTCOME,
    DataError,
    LogicalModel,
    MetricDefinition,
    Outcome,
    ScoreOutcome,
    take,
)
from loopcast.develop.inference import Estimate, independent_error, mean_influence
from loopcast.iterate.experiments.units import Units
from loopcast.monitor.observed import outcome_of
from loopcast.monitor.performance import estimate

FloatArray = NDArray[np.float64]
Measure = Callable[[NDArray[np.intp]], Estimate]
"""Estimates a metric of some entities, given by their places."""


def measure_of(
    name: str, units: Units, model: LogicalModel, metrics: Mapping[str, MetricDefinition]
) -> Measure:
    """Return what estimates a metric of entities whose outcome counts.

    Parameters
    ----------
    units
        All of them known.
    metrics
        Of the task, by name.

    Raises
    ------
    DataError
        When there is no such metric, or it cannot be computed from single outcomes.
    """
    if name == OUTCOME:
        values = outcomes(units, model)
        return lambda rows: mean_estimate(values[rows], units.weight[rows])
    if name not in metrics:
        known = ", ".join([OUTCOME, *metrics])
        raise DataError(f"{model.name} has no metric {name!r}; there are {known}")
    outcome = _judged(units, model)
    return lambda rows: estimate(
        take(outcome, rows), metrics[name], units.weight[rows], np.arange(len(rows)), serial=False
    )


def mean_estimate(values: FloatArray, weight: FloatArray) -> Estimate:
    """Return the weighted mean of independent values."""
    if not len(values):
        return Estimate(value=np.nan, error=np.nan, freedom=0)
    error, freedom = independent_error(mean_influence(values, weight))
    return Estimate(value=float(values @ weight / weight.sum()), error=error, freedom=freedom)


def outcomes(units: Units, model: LogicalModel) -> FloatArray:
    """Return the outcome of each entity as a number; of a score, whether the event happened.

    Raises
    ------
    DataError
        When an outcome is no number.
    """
    judged = _judged(units, model) if model.task == "score" else None
    if isinstance(judged, ScoreOutcome):
        return judged.actual
    values = units.rows["value"].to_numpy()
    texts = int(np.isnan(values.astype(np.float64)).sum())
    if texts:
        raise DataError(
            f"{texts} outcomes of {model.name} are no numbers; the metric {OUTCOME!r} is a mean"
        )
    return np.asarray(values, dtype=np.float64)


def _judged(units: Units, model: LogicalModel) -> Outcome:
    """Lay out answers and outcomes; silence is that a scored event did not happen."""
    if model.task == "rank" and units.silent.any():
        raise DataError(
            f"{int(units.silent.sum())} lists of {model.name} were answered by silence, which does "
            f"not say what was chosen; compare the {OUTCOME!r}, or wait for choices"
        )
    outcome = outcome_of(units.rows, model)
    if not isinstance(outcome, ScoreOutcome):
        return outcome
    actual = np.where(units.silent, 0.0, outcome.actual)
    return replace(outcome, actual=actual, weight=units.weight)
