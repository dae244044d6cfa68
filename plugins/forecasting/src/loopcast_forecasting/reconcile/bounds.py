"""Reconciliation with bounds on bottom series, exact, by block principal pivoting.

Bottom series are free, or fixed on a bound. Given which, the problem is the unbounded one with
fixed nodes; then every free series beyond its bound is fixed and every fixed one whose multiplier
has the wrong sign is freed, all at once, until none is left: the solution satisfies the
Karush-Kuhn-Tucker conditions and, the problem being strictly convex, is the only one (Júdice and
Pires 1994; Kim and Park 2011). Exchanges at once may go round in circles; when they no longer
reduce the number of violations, `descent` finds the bounds in force safely, and exchanges confirm
them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loopcast.api import ConvergenceError, DataError
from loopcast_forecasting.reconcile._types import BoolArray, FloatArray, SparseArray, product
from loopcast_forecasting.reconcile.covariance import Covariance
from loopcast_forecasting.reconcile.descent import descend
from loopcast_forecasting.reconcile.hierarchy import Hierarchy
from loopcast_forecasting.reconcile.lowrank import Factored, Solution, factored
from loopcast_forecasting.reconcile.projection import DiagonalSolver

TOLERANCE = 1e-12
ROUNDING = 1e-16
CHANCES = 6
SOFT_PIN = 1e-10
PINNINGS = 10


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of the bottom series, shape (n_bottom,) each, infinite where there is none."""

    lower: FloatArray
    upper: FloatArray

    def __post_init__(self) -> None:
        bad = np.flatnonzero(~(self.lower <= self.upper))
        if bad.size:
            raise DataError(
                f"{bad.size} bottom series have a lower bound that is not at most the upper one, "
                f"first {bad[0]}: {self.lower[bad[0]]} and {self.upper[bad[0]]}"
            )


def reconcile_within(
    hierarchy: Hierarchy,
    solver: DiagonalSolver,
    covariance: Covariance,
    *,
    bounds: Bounds,
    free: Factored,
    base: FloatArray,
) -> FloatArray:
    """Coherent forecasts nearest to base whose bottom series keep within bounds.

    Parameters
    ----------
    free : Factored
        The factorisation of `covariance` without any series on a bound.
    base : float array, shape (n_nodes, k)

    Returns
    -------
    float array, shape (n_nodes, k)

    Raises
    ------
    DataError
        If pinned nodes leave no room within the bounds.
    ConvergenceError
        If the optimality conditions could not be met.
    """
    result = free.apply(base)
    bottom = result[hierarchy.bottom]
    slack = _slack(base[hierarchy.bottom], bottom)
    outside = (bottom < bounds.lower[:, None] - slack) | (bottom > bounds.upper[:, None] + slack)
    pivoting = _Pivoting(hierarchy, solver, covariance, bounds)
    for column in np.flatnonzero(outside.any(axis=0)):
        bottom[:, column] = pivoting.run(base[:, [column]], bottom[:, column])
    np.clip(bottom, bounds.lower[:, None], bounds.upper[:, None], out=bottom)
    touched = np.flatnonzero((bottom != result[hierarchy.bottom]).any(axis=0))
    result[:, touched] = product(hierarchy.summing, bottom[:, touched])
    return result


class _Pivoting:
    """What the columns of one problem share.

    Pinned nodes are nearly so here, since bounds in force on the way may contradict them; the last
    step pins them.
    """

    def __init__(
        self, hierarchy: Hierarchy, solver: DiagonalSolver, covariance: Covariance, bounds: Bounds
    ) -> None:
        self.hierarchy, self.solver, self.bounds = hierarchy, solver, bounds
        self.exact = covariance
        self.soft = _soften(hierarchy, covariance)
        self.parents: SparseArray = hierarchy.children[:, hierarchy.bottom].T.tocsr()
        variance = self.soft.variance[hierarchy.bottom]
        self.unknown = np.isinf(variance)
        largest = float(variance[~self.unknown].max(initial=0.0)) or 1.0
        self.step = np.where(self.unknown, largest, variance)

    def run(self, base: FloatArray, bottom: FloatArray) -> FloatArray:
        """Return the bounded bottom series of one column, from the unbounded ones."""
        low, high = bottom < self.bounds.lower, bottom > self.bounds.upper
        bottom, low, high, settled = self._exchange(base, low, high)
        if not settled:
            low, high = descend(
                lambda low, high: self._optimum(self.soft, base, low, high),
                self.bounds.lower,
                self.bounds.upper,
                bottom,
            )
        elif self.soft is self.exact:
            return bottom
        return self._pin(base, low, high)

    def _pin(self, base: FloatArray, low: BoolArray, high: BoolArray) -> FloatArray:
        """Pin what was nearly so, and fix the series that this moves over their bounds."""
        for _ in range(PINNINGS):
            bottom, excess = self._optimum(self.exact, base, low, high)
            outside = (excess > 0) & ~(low | high)
            if not outside.any():
                return bottom
            low = low | (outside & (bottom < self.bounds.lower))
            high = high | (outside & (bottom > self.bounds.upper))
        raise ConvergenceError(
            f"pinned nodes keep {np.count_nonzero(outside)} of {bottom.size} bottom series from "
            "settling within their bounds; leave the sums of bounded series unpinned"
        )

    def _exchange(
        self, base: FloatArray, low: BoolArray, high: BoolArray
    ) -> tuple[FloatArray, BoolArray, BoolArray, bool]:
        """Exchange until no violation is left, or for long without fewer of them."""
        fewest, chances = low.size + 1, CHANCES
        while True:
            bottom, excess = self._optimum(self.soft, base, low, high)
            wrong = excess > 0
            count = int(wrong.sum())
            chances = CHANCES if count < fewest else chances - 1
            fewest = min(count, fewest)
            if count == 0 or chances == 0:
                return bottom, low, high, count == 0
            fixed = low | high
            low = np.where(wrong, ~fixed & (bottom < self.bounds.lower), low)
            high = np.where(wrong, ~fixed & (bottom > self.bounds.upper), high)

    def _optimum(
        self, covariance: Covariance, base: FloatArray, low: BoolArray, high: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """Bottom series for given bounds in force, and how much each violates optimality."""
        solution = self._solve(covariance, base, low, high)
        rows, bounds = self.hierarchy.bottom, self.bounds
        bottom = solution.values[rows, 0]
        shift = np.where(self.unknown, 0.0, bottom - solution.target[rows, 0])
        # Variance times multiplier: how far the series would go, were its bound not there.
        push = shift - self.step * product(self.parents, solution.pull[:, 0])
        excess = np.maximum(bounds.lower - bottom, bottom - bounds.upper)
        excess[low], excess[high] = -push[low], push[high]
        excess[(low | high) & (bounds.lower == bounds.upper)] = 0.0
        slack = _slack(base[rows], solution.values[rows])[:, 0]
        return bottom, np.where(excess > slack, excess, 0.0)

    def _solve(
        self, covariance: Covariance, base: FloatArray, low: BoolArray, high: BoolArray
    ) -> Solution:
        rows = self.hierarchy.bottom
        fixed = np.zeros(base.shape[0], dtype=bool)
        fixed[rows] = low | high
        held = np.zeros_like(base)
        held[rows[low], 0], held[rows[high], 0] = self.bounds.lower[low], self.bounds.upper[high]
        return factored(self.solver, covariance, fixed).solve(base, held)


def _soften(hierarchy: Hierarchy, covariance: Covariance) -> Covariance:
    """Give pinned nodes a variance that is negligible beside that of what they add up."""
    variance = covariance.variance
    pinned = variance == 0
    if not pinned.any():
        return covariance
    bottom = variance[hierarchy.bottom]
    usual = np.isfinite(bottom) & (bottom > 0)
    typical = float(np.median(bottom[usual])) if usual.any() else 1.0
    below = product(hierarchy.summing.power(2), np.where(usual, bottom, typical))
    return replace(covariance, variance=np.where(pinned, SOFT_PIN * below, variance))


def _slack(base: FloatArray, bottom: FloatArray) -> FloatArray:
    """Rounding level of each value: its own, and a trace of the largest in its column."""
    largest = np.abs(bottom).max(axis=0, initial=0.0)
    slack: FloatArray = TOLERANCE * (np.abs(base) + np.abs(bottom)) + ROUNDING * largest
    return slack
