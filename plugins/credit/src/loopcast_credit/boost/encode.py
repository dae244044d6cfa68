"""Features as the numbers that trees split.

A category is its rank by the event rate of training. A missing value is NaN where training had
missing ones, and otherwise the median of training; an unseen category counts as missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Record
from loopcast_credit.additive.card import require_columns
from loopcast_credit.bins.bins import categories
from loopcast_credit.bins.groups import ranked_categories
from loopcast_credit.bins.make import is_number

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Input(Record, frozen=True):
    """How a feature becomes a number.

    Attributes
    ----------
    categories
        Of a category, in ascending order of risk; None for a number.
    fill
        Stands for a missing value; None where trees know what to do with it.
    """

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | None = None

    def encode(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        """Return numbers, shape (rows,), NaN where missing."""
        if self.categories is None:
            x = values.to_numpy(np.float64)
        else:
            rank = {name: float(at) for at, name in enumerate(self.categories)}
            names, codes = categories(values)
            x = np.array([*(rank.get(name, np.nan) for name in names), np.nan])[codes]
        return x if self.fill is None else np.where(np.isnan(x), self.fill, x)


def learn_inputs(
    features: pd.DataFrame, event: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[Input, ...]:
    """Learn how each feature becomes a number.

    Parameters
    ----------
    features : DataFrame, shape (rows, features)
    event, weight : ndarray, shape (rows,)
    """
    return tuple(_input(str(name), features[name], event, weight) for name in features.columns)


def _input(
    name: str, values: pd.Series[Any], event: NDArray[np.float64], weight: NDArray[np.float64]
) -> Input:
    categories = None if is_number(values) else ranked_categories(values, event, weight)
    x = Input(name=name, categories=categories).encode(values)
    missing = np.isnan(x)
    # A median that a row has: the lower one of two.
    middle = None if missing.any() else float(np.partition(x, (len(x) - 1) // 2)[(len(x) - 1) // 2])
    return Input(name=name, categories=categories, fill=middle)


def encode(inputs: Sequence[Input], rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the numbers of every row, shape (rows, features).

    Raises
    ------
    ModelError
        Where a feature is missing from the columns.
    """
    require_columns([one.name for one in inputs], rows)
    matrix = np.empty((len(rows), len(inputs)))
    for at, one in enumerate(inputs):
        matrix[:, at] = one.encode(rows[one.name])
    return matrix
