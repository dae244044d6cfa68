"""Batch forecasts: every node of the hierarchy from one origin, coherent, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DataError
from loopcast.deploy.forecast_bundle import ForecastVersion, known_until
from loopcast.develop.forecast.hierarchy import (
    Hierarchy,
    coherence_error,
    reconcile_origin,
    split_nodes,
)
from loopcast.develop.forecast.horizon import horizon_index, slots
from loopcast.develop.forecast.intervals import LEVELS
from loopcast.develop.forecast.panel import interval_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import ForecastData, Reconciler

QUANTILE_COLUMNS = tuple(f"{level:g}" for level in LEVELS)


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchForecast:
    """Forecasts of every node from one origin.

    Attributes
    ----------
    table : DataFrame
        Columns ``time`` (local interval start, with zone), ``series``, ``step``, ``mean``, one
        column a quantile level (``0.05`` … ``0.95``), and ``total``: the mean times the hours
        of the interval for a rate, the mean itself for an amount; it adds up over series and
        over time.
    coherence_error
        Largest relative difference between a node and the sum of its parts.
    stand_ins
        Series that the fallback forecast at some step, with the reason.
    """

    table: pd.DataFrame
    origin: pd.Timestamp
    coherence_error: float
    stand_ins: Mapping[str, str]


def forecast(
    version: ForecastVersion, data: ForecastData, origin: pd.Timestamp, reconciler: Reconciler
) -> BatchForecast:
    """Forecast the horizon after an origin.

    Parameters
    ----------
    data
        Actuals of the bottom series until the origin at least, covariates through the horizon.

    Raises
    ------
    DataError
        Where its series are not those that the version was trained on.
    ModelError
        Where a model's answer cannot be used.
    """
    prepared = version.preparation
    hierarchy = prepared.hierarchy
    levels = prepared.levels(known_until(_as_trained(data, hierarchy.bottom), origin))
    base = [
        version.models[step].predict(levels[step], horizon_index(origin, hierarchy.horizon, step))
        for step in hierarchy.steps
    ]
    nodes = reconcile_origin(
        hierarchy,
        reconciler,
        np.concatenate([each.mean.ravel() for each in base]),
        version.errors,
        origin,
        nonnegative=prepared.nonnegative,
    )
    parts = split_nodes(hierarchy, nodes, origin)
    tables = [_step_table(version, step, mean, origin) for step, mean in parts.items()]
    return BatchForecast(
        table=pd.concat(tables, ignore_index=True),
        origin=origin,
        coherence_error=coherence_error(hierarchy, nodes, origin),
        stand_ins={name: reason for each in base for name, reason in each.reasons.items()},
    )


def _as_trained(data: ForecastData, trained: tuple[str, ...]) -> ForecastData:
    """Return the series in the order of the training, whatever that of the table's rows."""
    if data.series == trained:
        return data
    known, found = set(trained), set(data.series)
    absent = [name for name in trained if name not in found]
    new = [name for name in data.series if name not in known]
    lists = (("missing", absent), ("new", new))
    said = "; ".join(f"{len(n)} {how}, the first {n[0]}" for how, n in lists if n)
    if said:
        raise DataError(
            f"the series of the data are not those that the version was trained on ({said}); "
            "give it the same series, or train again (job=train)"
        )
    return replace(data, target=data.target[list(trained)])


def _step_table(
    version: ForecastVersion, step: str, mean: NDArray[np.float64], origin: pd.Timestamp
) -> pd.DataFrame:
    hierarchy = version.preparation.hierarchy
    times = horizon_index(origin, hierarchy.horizon, step)
    quantiles = version.intervals[step].around(
        mean, slots(times, origin, step), nonnegative=version.preparation.nonnegative
    )
    width = len(hierarchy.series)
    table = pd.DataFrame(
        {
            "time": times.repeat(width),
            "series": np.tile(hierarchy.series, len(times)),
            "step": step,
            "mean": mean.ravel(),
        }
    )
    table[list(QUANTILE_COLUMNS)] = quantiles.reshape(-1, len(LEVELS))
    table["total"] = table["mean"] * np.repeat(_hours(hierarchy, times, step), width)
    return table


def _hours(hierarchy: Hierarchy, times: pd.DatetimeIndex, step: str) -> NDArray[np.float64]:
    if hierarchy.over_time == "sum":
        return np.ones(len(times))
    return interval_lengths(times, "1min", step) / 60.0
