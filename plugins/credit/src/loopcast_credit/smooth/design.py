"""Rows by the bin of each characteristic, and the sums over them that Newton's method needs.

A row has one bin of each characteristic, so the product of the (huge, sparse) indicator matrix
with itself is a table of joint counts of each pair of characteristics: S. N. Wood, Z. Li,
G. Shaddick and N. H. Augustin, Generalized additive models for gigadata, Journal of the American
Statistical Association 112 (2017), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Design:
    """Rows in bins.

    Attributes
    ----------
    codes : tuple of ndarray, each of shape (rows,), intp
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

    @property
    def starts(self) -> NDArray[np.int64]:
        """Place of each characteristic among the coefficients, shape (characteristics + 1,).

        The first coefficient is the intercept.
        """
        return np.concatenate([[1], 1 + np.cumsum(self.sizes)])

    def log_odds(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of each row, shape (rows,)."""
        total: NDArray[np.float64] = self.offset + beta[0]
        for codes, start, size in zip(self.codes, self.starts, self.sizes, strict=False):
            total += beta[start : start + size][codes]
        return total

    def sums(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over all rows and over each bin, shape (coefficients,)."""
        parts = [
            np.bincount(codes, rows, minlength=size)
            for codes, size in zip(self.codes, self.sizes, strict=True)
        ]
        return np.concatenate([[rows.sum()], *parts])

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
        own = self.sums(rows)
        result = np.diag(own)
        result[0] = result[:, 0] = own
        places = [slice(a, b) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
        for i, first in enumerate(self.codes):
            for j in range(i):
                pair = first * self.sizes[j]
                pair += self.codes[j]
                cells = self.sizes[i] * self.sizes[j]
                table = np.bincount(pair, rows, minlength=cells).reshape(self.sizes[i], -1)
                result[places[i], places[j]] = table
                result[places[j], places[i]] = table.T
        return result
