"""Bins of one characteristic, and the bin of each value.

Every value has a bin. Those of a number are its intervals in ascending order, each with its lower
bound included, then the special values, then *missing*. Those of a category are its groups, then
*missing*, then *other*: rare categories in training, and any category that training never saw.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Record

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FEW_CUTS = 40
"""Up to so many cuts, comparing with each of them is faster than a binary search."""


class NumericBins(Record, frozen=True, tag="numeric"):
    """Intervals of a number.

    Attributes
    ----------
    cuts
        Ascending bounds of the intervals; a value on a bound belongs to the interval above it.
    specials
        Values with a bin of their own, such as a code for "never employed".
    """

    name: str
    cuts: tuple[float, ...]
    specials: tuple[float, ...] = ()

    @property
    def body(self) -> int:
        """Number of intervals."""
        return len(self.cuts) + 1

    @property
    def size(self) -> int:
        """Number of bins."""
        return self.body + len(self.specials) + 1

    @property
    def ordered(self) -> bool:
        """Whether neighbouring bins mean neighbouring values."""
        return True

    def labels(self) -> list[str]:
        """Describe each bin for people."""
        bounds = [f"{cut:.12g}" for cut in self.cuts]
        if not bounds:
            intervals = ["any value"]
        else:
            between = [f"{a} to < {b}" for a, b in itertools.pairwise(bounds)]
            intervals = [f"< {bounds[0]}", *between, f"≥ {bounds[-1]}"]
        return [*intervals, *(f"= {value:.12g}" for value in self.specials), "missing"]

    def codes(self, values: pd.Series[Any]) -> NDArray[Any]:
        """Return the bin of each value, shape (rows,), an unsigned integer."""
        x = values.to_numpy(np.float64)
        codes = _interval(x, self.cuts, np.dtype(np.uint8 if self.size <= 256 else np.uint16))
        for place, special in enumerate(self.specials):
            codes[x == special] = self.body + place
        missing = np.isnan(x)
        if missing.any():
            codes[missing] = self.size - 1
        return codes


class CategoryBins(Record, frozen=True, tag="category"):
    """Groups of categories.

    Attributes
    ----------
    groups
        Categories of each group.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]

    @property
    def body(self) -> int:
        """Number of groups."""
        return len(self.groups)

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.groups) + 2

    @property
    def ordered(self) -> bool:
        """Whether neighbouring bins mean neighbouring values."""
        return False

    def labels(self) -> list[str]:
        """Describe each bin for people."""
        return [*(", ".join(group) for group in self.groups), "missing", "other"]

    def codes(self, values: pd.Series[Any]) -> NDArray[Any]:
        """Return the bin of each value, shape (rows,), an unsigned integer."""
        place = {name: code for code, group in enumerate(self.groups) for name in group}
        names, codes = categories(values)
        dtype = np.uint8 if self.size <= 256 else np.uint16
        # A missing value's place is -1, which is the last entry of the table.
        table = np.array([*(place.get(name, self.body + 1) for name in names), self.body], dtype)
        return np.asarray(table[codes])


Bins = NumericBins | CategoryBins


def categories(values: pd.Series[Any]) -> tuple[list[str], NDArray[np.signedinteger[Any]]]:
    """Return the names of a column's categories, and each row's place among them.

    A missing value has the place -1. A column of categories is not copied.
    """
    known: Any = values.array if values.dtype == "category" else values.astype("category").array
    return [str(name) for name in known.categories], known.codes


def _interval(
    x: NDArray[np.float64], cuts: tuple[float, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    if len(cuts) > FEW_CUTS:
        return np.searchsorted(np.asarray(cuts), x, side="right").astype(dtype)
    codes = np.zeros(len(x), dtype)
    above = np.empty(len(x), np.bool_)
    for cut in cuts:
        codes += np.greater_equal(x, cut, out=above).view(np.uint8)
    return codes
