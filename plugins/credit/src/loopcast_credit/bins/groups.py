"""Groups of categories: rare ones together, many ones by their event rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast_credit.bins.bins import categories
from loopcast_credit.bins.counted import counted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PRIOR = 20.0
"""Rows of average risk that are added to a category before its rate is compared with others'."""


def category_groups(
    values: pd.Series[Any],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    bins: int,
    rare: float,
) -> tuple[tuple[str, ...], ...]:
    """Group the categories of a column.

    Categories below the share ``rare`` are in no group, so that they share the bin *other* with
    those that training never saw. Where more than ``bins`` are left, neighbours by event rate
    are put together until the groups hold about equal numbers of rows.

    Parameters
    ----------
    values : Series, shape (rows,), category
    event, weight : ndarray, shape (rows,)

    Returns
    -------
    tuple
        The categories of each group, ascending by name or by event rate.
    """
    names, rows, rate = _rates(values, event, weight)
    common = np.flatnonzero(rows >= max(rare * weight.sum(), 1e-300))
    if len(common) <= bins:
        return tuple((names[at],) for at in common)
    ranked = common[np.argsort(rate[common], kind="stable")]
    before = np.cumsum(rows[ranked]) - rows[ranked] / 2
    group = np.minimum((before / rows[ranked].sum() * bins).astype(int), bins - 1)
    return tuple(tuple(names[at] for at in ranked[group == one]) for one in np.unique(group))


def ranked_categories(
    values: pd.Series[Any], event: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[str, ...]:
    """Return the categories that rows have, in ascending order of their event rate.

    Parameters
    ----------
    values : Series, shape (rows,), category
    event, weight : ndarray, shape (rows,)
    """
    names, rows, rate = _rates(values, event, weight)
    return tuple(names[at] for at in np.argsort(rate, kind="stable") if rows[at] > 0.0)


def _rates(
    values: pd.Series[Any], event: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Return each category, the weight of its rows, and its event rate with a prior."""
    names, codes = categories(values)
    # A missing value's place is -1, the last of the table.
    size = len(names) + 1
    rows, events = (counted(codes, each, size)[:-1] for each in (weight, weight * event))
    average = events.sum() / max(rows.sum(), 1e-300)
    return names, rows, (events + PRIOR * average) / (rows + PRIOR)
