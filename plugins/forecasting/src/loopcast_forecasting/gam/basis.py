"""One-dimensional bases in sparse form: B-splines with pyGAM's knots, factors, linear terms.

A row of a B-spline basis of order k has k + 1 neighbouring non-zero values, so a basis evaluated
at n points is kept as column indices and values of shape (n, k + 1) and never as a dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loopcast.api import DataError

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class SparseRows(NamedTuple):
    """Rows of a basis with equally many stored entries each.

    Attributes
    ----------
    columns : ndarray, shape (n, width), intp
        Distinct within a row.
    values : ndarray, shape (n, width), float64
    """

    columns: Indices
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """The basis of one feature, as a pyGAM term compiled on training data defines it.

    Attributes
    ----------
    feature : int
        Column of the feature matrix.
    kind : {"spline", "factor", "linear"}
    lower, upper : float
        Edge knots; the period of a periodic spline is ``upper - lower``. For a linear basis, the
        range of the training data.
    n_splines, order : int
        Number of B-splines and their polynomial order.
    periodic : bool
        Whether the spline closes on itself.
    by : int, optional
        Column that multiplies the basis.
    drop_first : bool
        Dummy coding of a factor.
    bounded : bool
        Whether values outside the edge knots are refused (categories) or extrapolated linearly.
    levels : tuple of float
        Categories seen in training.
    """

    feature: int
    kind: Literal["spline", "factor", "linear"]
    lower: float
    upper: float
    n_splines: int = 1
    order: int = 0
    periodic: bool = False
    by: int | None = None
    drop_first: bool = False
    bounded: bool = False
    levels: tuple[float, ...] = ()

    @property
    def n_coefs(self) -> int:
        """Number of columns of the basis."""
        return self.n_splines - self.drop_first

    def evaluate(self, X: Floats) -> SparseRows:
        """Evaluate the basis.

        Parameters
        ----------
        X : ndarray, shape (n, n_features), float64

        Returns
        -------
        SparseRows

        Raises
        ------
        DataError
            If a category lies outside the range seen in training.
        """
        x = X[:, self.feature]
        rows = linear_rows(x) if self.kind == "linear" else self._spline_rows(x)
        return rows if self.by is None else scaled(rows, X[:, self.by])

    def cells(self, X: Floats) -> Indices:
        """Return the knot interval of each row: rows of one cell have the same non-zero columns."""
        if self.kind == "linear":
            return np.zeros(len(X), np.intp)
        n_intervals = _n_intervals(self.n_splines, self.order, self.periodic)
        return _locate(self._unit(X[:, self.feature]), n_intervals, self.periodic)[0]

    def _unit(self, x: Floats) -> Floats:
        return (x - self.lower) / ((self.upper - self.lower) or 1.0)

    def _spline_rows(self, x: Floats) -> SparseRows:
        unit = self._unit(x)
        if self.bounded:
            _refuse_unknown(x, unit, self)
        rows = spline_rows(unit, self.n_splines, self.order, periodic=self.periodic)
        return _without_first(rows) if self.drop_first else rows

    def grid(self, size: int) -> Floats:
        """Return points to show the basis at: the levels, or an even grid between the knots."""
        if self.levels:
            return np.array(self.levels)
        return np.linspace(self.lower, self.upper, size)


def linear_rows(x: Floats) -> SparseRows:
    """Return the basis of a single column: the feature itself."""
    return SparseRows(np.zeros((len(x), 1), np.intp), x[:, None].astype(np.float64))


def spline_rows(unit: Floats, n_splines: int, order: int, *, periodic: bool) -> SparseRows:
    """Evaluate uniform B-splines on the unit interval, as pyGAM's ``b_spline_basis`` does.

    Parameters
    ----------
    unit : ndarray, shape (n,)
        Points scaled so that the edge knots are 0 and 1.
    n_splines, order : int
        Number of columns and polynomial order.
    periodic : bool
        Wrap points and columns; otherwise continue linearly beyond the edge knots.

    Returns
    -------
    SparseRows
        With ``order + 1`` entries a row.

    Notes
    -----
    de Boor's recursion for equidistant knots, on the ``order + 1`` splines that are non-zero in
    the knot interval of each point (Eilers & Marx 1996, section 2).
    """
    n_intervals = _n_intervals(n_splines, order, periodic)
    interval, offset = _locate(unit, n_intervals, periodic)
    values = _uniform_splines(np.clip(offset, 0, 1), order)
    if not periodic:
        values = _continue_linearly(values, offset, order)
    columns = interval[:, None] + np.arange(order + 1)
    return SparseRows(columns % n_splines if periodic else columns, values)


def _n_intervals(n_splines: int, order: int, periodic: bool) -> int:
    return n_splines if periodic else n_splines - order


def _locate(unit: Floats, n_intervals: int, periodic: bool) -> tuple[Indices, Floats]:
    """Return the knot interval of each point and the position in it, in interval lengths."""
    if periodic:
        unit = unit % (1 + 1e-9)
    knots = np.linspace(0, 1, n_intervals + 1)
    interval = np.clip(np.searchsorted(knots, unit, side="right") - 1, 0, n_intervals - 1)
    return interval, unit * n_intervals - interval


def _uniform_splines(offset: Floats, order: int) -> Floats:
    """Return the order + 1 B-splines at a position in [0, 1] of a knot interval of length 1."""
    values = np.ones((order + 1, len(offset)))
    for k in range(1, order + 1):
        left = np.zeros(len(offset))
        for i in range(k):
            share = values[i] / k
            values[i] = left + (i + 1 - offset) * share
            left = (offset + k - 1 - i) * share
        values[k] = left
    return values.T


def _continue_linearly(values: Floats, offset: Floats, order: int) -> Floats:
    outside = (offset < 0) | (offset > 1)
    if not outside.any():
        return values
    if order == 0:
        return np.where(outside[:, None], 0.0, values)
    edge = np.clip(offset[outside], 0, 1)
    lower = _uniform_splines(edge, order - 1)
    none = np.zeros((len(edge), 1))
    slope = np.hstack([none, lower]) - np.hstack([lower, none])
    values = values.copy()
    values[outside] += slope * (offset[outside] - edge)[:, None]
    return values


def _without_first(rows: SparseRows) -> SparseRows:
    """Drop the first column: its entries become zeros in the column after it."""
    kept = rows.columns > 0
    return SparseRows(np.where(kept, rows.columns - 1, 0), np.where(kept, rows.values, 0.0))


def _refuse_unknown(x: Floats, unit: Floats, marginal: Marginal) -> None:
    outside = (unit < 0) | (unit > 1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"feature {marginal.feature}: {int(outside.sum())} rows hold a category that was not "
            f"trained, first {x[row]:g} in row {row}; categories lie between "
            f"{marginal.lower + 0.5:g} and {marginal.upper - 0.5:g}"
        )


def scaled(rows: SparseRows, by: Floats) -> SparseRows:
    """Multiply each row by the value of another feature."""
    return SparseRows(rows.columns, rows.values * by[:, None])


def row_kronecker(a: SparseRows, b: SparseRows, b_columns: int) -> SparseRows:
    """Return the row-wise Kronecker product of two bases: the basis of a tensor term."""
    n = len(a.values)
    columns = a.columns[:, :, None] * b_columns + b.columns[:, None, :]
    values = a.values[:, :, None] * b.values[:, None, :]
    return SparseRows(columns.reshape(n, -1), values.reshape(n, -1))
