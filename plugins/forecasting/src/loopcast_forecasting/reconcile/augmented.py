"""Reconciliation of any hierarchy with diagonal variances, by one sparse factorisation.

Unknowns are the reconciled aggregates x_a and the multipliers mu of their child sums; bottom series
are eliminated by hand (x_b = y_b + W_b B_b' mu), so the system has two rows an aggregate, however
many bottom series there are:

    | P          I - B_a'      |  | x_a |     | P y_a   |
    | I - B_a   -B_b W_b B_b'  |  | mu  |  =  | B_b y_b |

with B the child sums and P = W_a**-1. A row of the first block is multiplied by its variance where
that is small, so a pinned aggregate (variance 0) and one without a forecast (infinite) are ordinary
rows; bottom series without a forecast stay as unknowns. Keeping both x_a and mu is the augmented
form of least squares (Björck 1996, section 2.5), which unlike the normal equations is not spoilt by
widely different variances (Vavasis 1994). Each solve is refined until its residual is at rounding
level, and refused otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csc_array, csr_array, diags_array, eye_array
from scipy.sparse.linalg import SuperLU, splu

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import (
    BoolArray,
    FloatArray,
    IntArray,
    SparseArray,
    product,
)
from loopcast_forecasting.reconcile.hierarchy import Hierarchy
from loopcast_forecasting.reconcile.pins import CLASH_TOLERANCE, pin_clash, repeated

RESIDUAL_TOLERANCE = 1e-12
PIVOT_TOLERANCE = 1e-13
REFINEMENTS = 5


class AugmentedSolver:
    """Child sums split into those over aggregates and those over bottom series."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self.inner: SparseArray = hierarchy.children[:, hierarchy.aggregates]
        self.leaves: SparseArray = hierarchy.children[:, hierarchy.bottom]
        self.sums: SparseArray = hierarchy.summing[hierarchy.aggregates]
        self.squares: SparseArray = self.sums.power(2)
        self.overlap = _overlap(self.leaves)

    def factor(self, variance: FloatArray) -> AugmentedProjection:
        """Assemble and factor the system.

        Parameters
        ----------
        variance : float array, shape (n_nodes,)
            Each from 0 to infinity.

        Raises
        ------
        DataError
            If missing forecasts leave a node undetermined.
        """
        own = variance[self.hierarchy.aggregates]
        bottom = variance[self.hierarchy.bottom]
        copies = repeated(self.sums, own == 0, bottom == 0)
        own[copies] = np.inf
        missing = np.flatnonzero(np.isinf(bottom)).astype(np.int64)
        known = np.where(np.isinf(bottom), 0.0, bottom)
        scale = _scales(product(self.squares, known))
        precise = own < scale**2
        with np.errstate(divide="ignore"):
            on_value = np.where(precise, 1.0, scale**2 / own)
        on_pull = np.where(precise, own / scale**2, 1.0)
        matrix, unit = _equilibrated(self._matrix(scale, on_value, on_pull, known, missing))
        factors = _factor(matrix)
        if factors is None:
            raise DataError(_undetermined(np.flatnonzero(np.isinf(variance))))
        return AugmentedProjection(
            self, matrix, factors, unit, scale, on_value, known, missing, copies
        )

    def _matrix(
        self,
        scale: FloatArray,
        on_value: FloatArray,
        on_pull: FloatArray,
        known: FloatArray,
        missing: IntArray,
    ) -> csc_array[np.float64]:
        """Return the system in units of each aggregate's scale."""
        sums = csr_array(eye_array(scale.size) - _scaled(self.inner, 1.0 / scale, scale))
        spread = self.overlap.spread(known)
        blocks: list[list[Any]] = [
            [diags_array(on_value), _scaled(sums, np.ones_like(scale), on_pull).T],
            [sums, -_scaled(spread, 1.0 / scale, 1.0 / scale)],
        ]
        if missing.size:
            free = _scaled(self.leaves[:, missing], 1.0 / scale, np.ones(missing.size))
            blocks = [[*blocks[0], None], [*blocks[1], -free], [None, free.T, None]]
        return csc_array(block_array(blocks, format="csc"))


@dataclass(frozen=True, eq=False)
class Overlap:
    """Which bottom series are in two sums, so that ``B W B'`` for other variances W is a product.

    Attributes
    ----------
    pattern : csr_array, shape (n_aggregates, n_aggregates)
        Its structure.
    weights : csr_array, shape (entries, n_bottom)
        What a variance adds to each entry of the pattern.
    """

    pattern: SparseArray
    weights: SparseArray

    def spread(self, variance: FloatArray) -> SparseArray:
        """Return the covariance of the sums of independent bottom series."""
        data = product(self.weights, variance)
        return csr_array((data, self.pattern.indices, self.pattern.indptr), self.pattern.shape)


def _overlap(leaves: SparseArray) -> Overlap:
    """Pair the sums that each bottom series is in; a sum is a pair with itself too."""
    sums_of: SparseArray = leaves.T.tocsr()
    count = np.diff(sums_of.indptr)
    first = np.repeat(np.arange(sums_of.nnz), np.repeat(count, count))
    bottom = np.repeat(np.arange(len(count)), count**2)
    start = np.repeat(np.cumsum(count**2) - count**2, count**2)
    second = sums_of.indptr[bottom] + (np.arange(len(bottom)) - start) % count[bottom]
    size = leaves.shape[0]
    pair = sums_of.indices[first].astype(np.int64) * size + sums_of.indices[second]
    pairs, entry = np.unique(pair, return_inverse=True)
    weights = sums_of.data[first] * sums_of.data[second]
    indptr = np.searchsorted(pairs // max(size, 1), np.arange(size + 1))
    return Overlap(
        csr_array((np.ones(len(pairs)), pairs % max(size, 1), indptr), (size, size)),
        csr_array((weights, (entry, bottom)), (len(pairs), len(count))),
    )


def _scaled(matrix: SparseArray, rows: FloatArray, columns: FloatArray) -> SparseArray:
    """Multiply the rows and columns of a matrix."""
    by_row = np.repeat(rows, np.diff(matrix.indptr))
    data = matrix.data * by_row * columns[matrix.indices]
    return csr_array((data, matrix.indices, matrix.indptr), matrix.shape)


@dataclass(frozen=True, eq=False)
class AugmentedProjection:
    """The factored system; see `AugmentedSolver.factor`."""

    solver: AugmentedSolver
    matrix: csc_array[np.float64]
    factors: SuperLU
    unit: FloatArray
    scale: FloatArray
    on_value: FloatArray
    known: FloatArray
    missing: IntArray
    copies: IntArray

    def apply(self, base: FloatArray) -> FloatArray:
        """Return the coherent forecasts nearest to base, shape (n_nodes, k)."""
        return self.solve(base)[0]

    def solve(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return them with the pull of each aggregate on its children."""
        hierarchy = self.solver.hierarchy
        pull, free = self._unknowns(base)
        bottom = product(self.solver.leaves.T, pull)
        bottom *= self.known[:, None]
        bottom += base[hierarchy.bottom]
        bottom[self.missing] = free
        result = np.empty_like(base)
        result[hierarchy.aggregates] = product(self.solver.sums, bottom)
        result[hierarchy.bottom] = bottom
        if self.copies.size:
            self._check_copies(base, result)
        return result, pull

    def _check_copies(self, base: FloatArray, result: FloatArray) -> None:
        rows = self.solver.hierarchy.aggregates[self.copies]
        terms = product(
            abs(self.solver.sums[self.copies]), np.abs(result[self.solver.hierarchy.bottom])
        )
        off = np.abs(base[rows] - result[rows]) > CLASH_TOLERANCE * (terms + np.abs(base[rows]))
        if off.any():
            raise DataError(pin_clash(rows[off.any(axis=1)]))

    def _unknowns(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pulls of the aggregates, and bottom series without a forecast."""
        hierarchy, scale = self.solver.hierarchy, self.scale[:, None]
        known_base = base[hierarchy.bottom]
        known_base[self.missing] = 0.0
        count = scale.shape[0]
        right = np.zeros((self.matrix.shape[0], base.shape[1]))
        right[:count] = self.on_value[:, None] * base[hierarchy.aggregates] / scale
        right[count : 2 * count] = product(self.solver.leaves, known_base) / scale
        solution = _refined(self.matrix, self.factors, right) * self.unit[:, None]
        return solution[count : 2 * count] / scale, solution[2 * count :]


def _scales(below: FloatArray) -> FloatArray:
    """Standard deviation of each sum of bottom series, never 0.

    A child's is at most its parent's, so no entry of the system exceeds 1 by much. A sum of fixed
    series gets the smallest of the others.
    """
    positive = below[below > 0]
    smallest = float(positive.min()) if positive.size else 1.0
    return np.sqrt(np.maximum(below, smallest))


def _equilibrated(
    matrix: csc_array[np.float64],
) -> tuple[csc_array[np.float64], FloatArray]:
    """Matrix with columns of unit size, and the unit of each unknown."""
    size = np.asarray(abs(matrix).max(axis=0).todense()).ravel()
    unit = 1.0 / np.where(size > 0, size, 1.0)
    return csc_array(matrix @ diags_array(unit)), unit


def _factor(matrix: csc_array[np.float64]) -> SuperLU | None:
    """Sparse LU, or nothing where the matrix is singular to rounding."""
    try:
        factors = splu(matrix)
    except RuntimeError:  # "Factor is exactly singular"
        return None
    pivots = np.abs(factors.U.diagonal())
    return factors if pivots.min() >= PIVOT_TOLERANCE * pivots.max() else None


def _undetermined(missing: NDArray[np.intp]) -> str:
    first = f", first node {missing[0]}," if missing.size else ""
    return (
        f"missing forecasts leave nodes undetermined: {missing.size} have none{first} and no "
        "sums that are forecast tell all of them apart; forecast more of them"
    )


def _refined(matrix: csc_array[np.float64], factors: SuperLU, right: FloatArray) -> FloatArray:
    """Solve, and refine until the residual is at rounding level (componentwise backward error)."""
    solution = factors.solve(right)
    magnitude = abs(matrix)
    for _ in range(REFINEMENTS):
        residual = right - product(matrix, solution)
        bound = product(magnitude, np.abs(solution)) + np.abs(right)
        if _negligible(residual, bound).all():
            return solution + factors.solve(residual)
        solution = solution + factors.solve(residual)
    worst = float(np.max(np.abs(residual) / np.where(bound > 0, bound, 1.0)))
    raise DataError(
        f"the hierarchy's equations are too nearly singular (relative residual {worst:.1e}); give "
        "variances that differ less, or forecast more nodes"
    )


def _negligible(residual: FloatArray, bound: FloatArray) -> BoolArray:
    small: BoolArray = np.abs(residual) <= RESIDUAL_TOLERANCE * bound.max(axis=0, initial=0.0)
    return small
