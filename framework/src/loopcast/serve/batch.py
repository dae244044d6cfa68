"""Batch forecasts: every node of the hierarchy from one origin, coherent, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DataError
from loopcast.deploy.forecast_bundle import ForecastVersion, known_until
from loopcast.develop.forecast.beyond import horizon_beyond
from loopcast.develop.forecast.hierarchy import (
    Hierarchy,
    coherence_error,
    reconcile_origin,
    split_nodes,
)
from loopcast.develop.forecast.horizon import horizon_index, slots
from loopcast.develop.forecast.intervals import LEVELS
from loopcast.develop.forecast.panel import interval_lengths
from loopcast.plugins import calling
from loopcast.serve.treatment import Treated, treat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Applicability, ForecastData, Forecaster, Reconciler

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
        over time. ``action`` and ``reason`` say what was done beyond the domain of the version;
        a value that nobody answers for is missing.
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
    version: ForecastVersion,
    data: ForecastData,
    origin: pd.Timestamp,
    reconciler: Reconciler,
    rules: Applicability,
) -> BatchForecast:
    """Forecast the horizon after an origin.

    Parameters
    ----------
    data
        Actuals of the bottom series until the origin at least, covariates through the horizon.
    rules
        What is done beyond the domain of the version.

    Raises
    ------
    DataError
        Where its series are not those that the version was trained on.
    ModelError
        Where a model's answer cannot be used.
    """
    prepared = version.preparation
    hierarchy = prepared.hierarchy
    known = known_until(_as_trained(data, hierarchy.bottom), origin)
    levels = prepared.levels(known)
    stand_ins, treated = version.limits.stand_ins, _treated(version, known, origin, rules)
    base, means = [], []
    for step, level in levels.items():
        times = horizon_index(origin, hierarchy.horizon, step)
        base.append(version.models[step].predict(level, times))
        means.append(
            _handed_on(stand_ins.get(step), level, times, base[-1].mean, treated[step]).ravel()
        )
    nodes = reconcile_origin(
        hierarchy,
        reconciler,
        np.concatenate(means),
        version.errors,
        origin,
        nonnegative=prepared.nonnegative,
    )
    parts = split_nodes(hierarchy, nodes, origin)
    tables = [
        _step_table(version, step, mean, origin, treated[step]) for step, mean in parts.items()
    ]
    return BatchForecast(
        table=pd.concat(tables, ignore_index=True),
        origin=origin,
        coherence_error=coherence_error(hierarchy, nodes, origin),
        stand_ins={name: reason for each in base for name, reason in each.reasons.items()},
    )


def _treated(
    version: ForecastVersion, known: ForecastData, origin: pd.Timestamp, rules: Applicability
) -> dict[str, Treated]:
    """Decide on each value, by step; codes have the shape (intervals, series)."""
    found = horizon_beyond(
        version.limits.domains,
        version.bounds,
        known,
        version.preparation.hierarchy,
        origin,
        share=rules.share,
    )
    return {step: treat(each, rules) for step, each in found.items()}


def _handed_on(
    stand_in: Forecaster | None,
    level: ForecastData,
    times: pd.DatetimeIndex,
    mean: NDArray[np.float64],
    treated: Treated,
) -> NDArray[np.float64]:
    """Let the stand-in forecast what is its to forecast, so that all of it is made to add up."""
    rows = treated.handed_on.reshape(mean.shape)
    if stand_in is None or not rows.any():
        return mean
    with calling("that is the fallback", "predict"):
        other = np.asarray(stand_in.predict(level, times).mean, dtype=np.float64)
    return np.where(rows, np.nan_to_num(other), mean)  # zero where it has nothing to say either


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
    version: ForecastVersion,
    step: str,
    mean: NDArray[np.float64],
    origin: pd.Timestamp,
    treated: Treated,
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
    answered = treated.own | (treated.handed_on if step in version.limits.stand_ins else False)
    table.loc[~answered, ["mean", *QUANTILE_COLUMNS, "total"]] = np.nan
    return table.assign(**treated.columns())


def _hours(hierarchy: Hierarchy, times: pd.DatetimeIndex, step: str) -> NDArray[np.float64]:
    if hierarchy.over_time == "sum":
        return np.ones(len(times))
    return interval_lengths(times, "1min", step) / 60.0
