"""Outcomes of a forecast's aggregates: the sums of their series, as in training.

Meters tell of series, and the KPI is about the top. A sum is known where each of its series is;
what is told of the whole counts only where one of them is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ForecastSchema, LogicalModel
from loopcast.develop.forecast.panel import members_of
from loopcast.store.event_keys import forecast_keys, interval_keys
from loopcast.store.truth import joined_keys, truth_table

if TYPE_CHECKING:
    from loopcast.store.home import Home


def known_outcomes(home: Home, model: LogicalModel) -> pa.Table:
    """Return the outcome of each key, with those of the aggregates of a forecast."""
    latest = home.truth.latest(model.name)
    if not isinstance(model.schema, ForecastSchema) or not model.schema.aggregates:
        return latest
    return with_sums(latest, model.schema)


def with_sums(latest: pa.Table, schema: ForecastSchema) -> pa.Table:
    """Add the outcomes of aggregates at the finest step to those of their series.

    Parameters
    ----------
    latest
        One outcome for each key, as :meth:`loopcast.store.truth.TruthStore.latest` returns them.
    """
    told = _told(latest, schema.step)
    sums = [
        summed
        for name, parts in members_of(schema).items()
        if len(summed := _sum(told[told["series"].isin(parts)], len(parts)).assign(series=name))
    ]
    if not sums:
        return latest
    added = _table(pd.concat(sums, ignore_index=True), schema.step)
    keys, ours = (joined_keys(t["segment"], t["key"], named=True) for t in (latest, added))
    return pa.concat_tables([latest.filter(pc.invert(pc.is_in(keys, value_set=ours))), added])


def _told(latest: pa.Table, step: str) -> pd.DataFrame:
    """Return what was told of each series at the finest step, once for each interval."""
    told = forecast_keys(latest["key"]).assign(
        segment=latest["segment"].to_numpy(),
        observed=latest["observed"].to_pandas(),
        value=latest["value"].to_numpy(),
    )
    known: pd.DataFrame = told[(told["step"] == step) & np.isfinite(told["value"])]
    return known.sort_values("observed").drop_duplicates(
        ["segment", "series", "start"], keep="last"
    )


def _sum(told: pd.DataFrame, parts: int) -> pd.DataFrame:
    """Add up the intervals of which every part is known, by the last of which the sum is."""
    by_interval = told.groupby(["segment", "start"], observed=True)
    found = by_interval.agg(
        value=("value", "sum"), observed=("observed", "max"), known=("value", "size")
    )
    return found[found["known"] == parts].reset_index()


def _table(sums: pd.DataFrame, step: str) -> pa.Table:
    return truth_table(
        key=interval_keys(sums["series"], step, sums["start"]),
        value=sums["value"],
        observed=sums["observed"],
        segment=sums["segment"],
    )
