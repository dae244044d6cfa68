"""Filling gaps in actuals, where configuration asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DataError, step_minutes

if TYPE_CHECKING:
    from loopcast.api import ForecastSchema

WEEK_MINUTES = 7 * 1440
SHORT_GAP_MINUTES = 120
"""Gaps up to this long are interpolated; longer ones take the weeks before and after."""


def fill_gaps(
    target: pd.DataFrame, schema: ForecastSchema, source: str, *, tolerate: bool = False
) -> pd.DataFrame:
    """Fill missing actuals: short gaps linearly, long ones from the same time of other weeks.

    A gap of at most two hours is interpolated between its ends. A longer one takes the mean of
    the values one week before and one week after, of those that exist. What a series was before its
    first value is not made up: its first week would be there twice, and a backtest would find it.

    Parameters
    ----------
    target : DataFrame, shape (time, series)
        On a regular grid in local time.
    tolerate
        Leave missing what cannot be filled.

    Raises
    ------
    DataError
        Where neither week has a value or a series begins late, if that is not tolerated.
    """
    limit = max(1, SHORT_GAP_MINUTES // step_minutes(schema.step))
    filled = target.apply(_interpolate_short, limit=limit)
    week = WEEK_MINUTES // step_minutes(schema.step)
    stacked = np.stack([target.shift(rows).to_numpy() for rows in (week, -week)])
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, stacked, 0.0).sum(axis=0) / known.sum(axis=0)
    mean[~np.logical_or.accumulate(target.notna().to_numpy())] = np.nan
    filled = filled.where(filled.notna(), pd.DataFrame(mean, target.index, target.columns))
    left = filled.isna().to_numpy()
    if left.any() and not tolerate:
        row, column = np.argwhere(left)[0]
        raise DataError(
            f"{source}: missing values cannot be imputed ({int(left.sum())}), the first at "
            f"{target.index[row]} for series {target.columns[column]}; "
            f"{_reason(target, row, column)}: shorten the data with data.table.since, or "
            "set data.table.gaps=tolerate to leave them missing"
        )
    return filled


def _reason(target: pd.DataFrame, row: int, column: int) -> str:
    known = np.flatnonzero(target.iloc[:, column].notna())
    if len(known) and row < known[0]:
        return f"its first value is at {target.index[known[0]]}"
    return "the same time is missing a week before and a week after too"


def _interpolate_short(series: pd.Series, limit: int) -> pd.Series:
    """Interpolate runs of at most ``limit`` missing values that have both neighbours."""
    missing = series.isna()
    run = (missing != missing.shift()).cumsum()
    length = missing.groupby(run).transform("sum")
    linear = series.interpolate(limit_area="inside")
    return series.where(~(missing & (length <= limit)), linear)
