"""Groups that an entity or a moment belongs to: values of categories, bins of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import RankData

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

WEEK, MONTH = np.timedelta64(7, "D"), np.timedelta64(30, "D")
SEASON_MONTHS = 3
PAY_DAY_BINS = (3, 10, 20)


@dataclass(frozen=True, eq=False)
class Grouping:
    """How the values of one feature become groups; a missing or new value is in none, −1.

    Attributes
    ----------
    values : tuple of str or ndarray
        Names of categories, or the inner edges of bins of a number.
    """

    values: tuple[str, ...] | NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.values) + (not isinstance(self.values, tuple))

    def codes(self, column: Any) -> Codes:
        """Return the group of each value, shape (rows,)."""
        if isinstance(self.values, tuple):
            texts = pd.Index(self.values, dtype="str")
            return np.asarray(texts.get_indexer(pd.Index(column).astype("str")), dtype=np.int64)
        numbers = np.asarray(column, dtype=np.float64)
        found = np.searchsorted(self.values, numbers, side="right")
        return np.where(np.isnan(numbers), -1, found)


def grouping_of(column: Any, bins: int) -> Grouping:
    """Return the groups of a feature: its categories, or bins of about as many rows."""
    if isinstance(column, pd.Series) and column.dtype.kind not in "fiub":
        return Grouping(tuple(sorted(column.dropna().astype("str").unique())))
    numbers = np.asarray(column, dtype=np.float64)
    inside = np.quantile(numbers[~np.isnan(numbers)], np.arange(1, bins) / bins)
    return Grouping(np.unique(inside))


def behaviour(data: RankData) -> dict[str, NDArray[np.float64]]:
    """Return what each entity did lately: purchases of a week and a month, growth of spending.

    Growth is that of a month over the month before, as a logarithm; missing where the entity did
    nothing in both.
    """
    end, count = data.time.max(), len(data.entities)

    def total(since: Any, until: Any, weights: Any = None) -> NDArray[np.float64]:
        rows = (data.time > since) & (data.time <= until)
        chosen = None if weights is None else weights[rows].astype(np.float64)
        return np.bincount(data.entity[rows], chosen, minlength=count).astype(np.float64)

    spent, before = (
        total(end - MONTH, end, data.value),
        total(end - 2 * MONTH, end - MONTH, data.value),
    )
    growth = np.log1p(np.maximum(spent, 0.0)) - np.log1p(np.maximum(before, 0.0))
    return {
        "bought in a week": total(end - WEEK, end),
        "bought in a month": total(end - MONTH, end),
        "growth of spending": np.where(spent + before > 0, growth, np.nan),
    }


def moments(time: NDArray[np.datetime64], pay_day: int) -> Mapping[str, Codes]:
    """Return the groups of moments: season, and about how many days remain to pay day."""
    days = pd.DatetimeIndex(time)
    remaining = (pay_day - days.day.to_numpy()) % days.days_in_month.to_numpy()
    return {
        "season": (days.month.to_numpy().astype(np.int64) - 1) // SEASON_MONTHS,
        "pay day": np.searchsorted(PAY_DAY_BINS, remaining).astype(np.int64),
    }


MOMENT_GROUPS = {"season": 12 // SEASON_MONTHS, "pay day": len(PAY_DAY_BINS) + 1}
