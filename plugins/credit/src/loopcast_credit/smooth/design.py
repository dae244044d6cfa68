"""Rows by the bin of each characteristic, and the sums over them that Newton's method needs.

A row has one bin of each characteristic, so the product of the (huge, sparse) indicator matrix
with itself is a table of joint counts of each pair of characteristics: S. N. Wood, Z. Li,
G. Shaddick and N. H. Augustin, Generalized additive models for gigadata, Journal of the American
Statistical Association 112 (2017), section 3. Counting is what a fit costs, so characteristics are
packed, and one table counts all pairs between two packs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast_credit.smooth.pack import Pack, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Design:
    """Rows in bins.

    Attributes
    ----------
    codes : tuple of ndarray, each of shape (rows,), unsigned integers
        The bin of each row, for each characteristic.
    sizes
        Number of bins of each characteristic.
    event, weight, offset : ndarray, shape (rows,)
        The outcome, 0 or 1; the rows' weights; log-odds that are known beforehand.
    """

    codes: tuple[NDArray[Any], ...]
    sizes: tuple[int, ...]
    event: NDArray[np.float64]
    weight: NDArray[np.float64]
    offset: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Place of each characteristic among the coefficients, shape (characteristics + 1,).

        The first coefficient is the intercept.
        """
        return np.concatenate([[1], 1 + np.cumsum(self.sizes)])

    @cached_property
    def rows(self) -> NDArray[np.float64]:
        """Weight of all rows and of those in each bin, shape (coefficients,)."""
        return self.sums(self.weight)

    @cached_property
    def events(self) -> NDArray[np.float64]:
        """Weight of all rows with the event and of those in each bin, shape (coefficients,)."""
        return self.sums(self.weight * self.event)

    @cached_property
    def packs(self) -> tuple[Pack, ...]:
        """The characteristics, several as one."""
        return packed(self.codes, self.sizes)

    @cached_property
    def cells(self) -> list[slice]:
        """Place of each pack's cells among those of all."""
        return _slices(pack.cells for pack in self.packs)

    @cached_property
    def by_cell(self) -> Any:
        """Sparse matrix of all packs' cells by rows: 1 where a row is in a cell.

        Its products visit all packs of a row at once, which takes half the time of a pass over
        the rows for each pack.
        """
        from scipy.sparse import csc_array

        rows, packs = len(self.event), len(self.packs)
        index = np.int32 if rows * packs <= np.iinfo(np.int32).max else np.int64
        cells = np.empty((rows, packs), index)
        for at, (pack, place) in enumerate(zip(self.packs, self.cells, strict=True)):
            np.add(pack.codes, place.start, out=cells[:, at], casting="same_kind")
        ends = np.arange(0, rows * packs + 1, packs, dtype=index)
        parts: Any = np.ones(rows * packs), cells.ravel(), ends
        return csc_array(parts, shape=(self.cells[-1].stop, rows))

    @cached_property
    def by_row(self) -> Any:
        """The same matrix, of rows by cells."""
        return self.by_cell.T

    def log_odds(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of each row, shape (rows,)."""
        table = np.concatenate([pack.members @ beta[pack.place] for pack in self.packs])
        total: NDArray[np.float64] = self.by_row @ table
        total += self.offset + beta[0]
        return total

    def sums(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over all rows and over each bin, shape (coefficients,)."""
        table = self.by_cell @ rows
        result = np.empty(self.starts[-1])
        result[0] = rows.sum()
        for pack, cells in zip(self.packs, self.cells, strict=True):
            result[pack.place] = table[cells] @ pack.members
        return result

    def curvature(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted product of the indicator matrix with itself.

        Parameters
        ----------
        rows : ndarray, shape (rows,)
            Weight of each row.

        Returns
        -------
        ndarray, shape (coefficients, coefficients)
        """
        order = np.argsort(np.concatenate([pack.place for pack in self.packs]))
        result = np.empty((self.starts[-1], self.starts[-1]))
        result[1:, 1:] = self._pairs(rows).take(order, axis=0).take(order, axis=1)
        # A row has one bin of each characteristic: a bin's own weight is what it shares with all.
        result[0] = result[:, 0] = result.diagonal()
        result[0, 0] = rows.sum()
        return result

    def _pairs(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over each pair of bins, in the order of the packs."""
        places = _slices(len(pack.place) for pack in self.packs)
        result = np.empty((places[-1].stop, places[-1].stop))
        for i, (pack, place) in enumerate(zip(self.packs, places, strict=True)):
            result[place, place] = pack.own(rows)
            for other, beside in zip(self.packs[:i], places[:i], strict=True):
                table = pack.joint(other, rows)
                result[place, beside] = table
                result[beside, place] = table.T
        return result


def _slices(sizes: Iterable[int]) -> list[slice]:
    """Return where parts are that follow each other."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(ends)]
