"""Which bottom series end on a bound, by projected Newton steps.

Bertsekas (1982, "Projected Newton methods for optimization problems with simple constraints"):
series on a bound that the gradient holds there stay, all others take a Newton step, and the result
is brought back into the bounds, halving the step until the objective falls enough. It falls with
every step, so unlike exchanges at once this cannot go round in circles; on a strictly convex
quadratic objective it is at the right bounds after finitely many steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopcast_forecasting.reconcile._types import BoolArray, FloatArray, SparseArray, product

STEPS = 200
HALVINGS = 40
SUFFICIENT = 1e-4
NEGLIGIBLE = 1e-14


def descend(
    summing: SparseArray,
    precise: Callable[[FloatArray], FloatArray],
    newton: Callable[[BoolArray, BoolArray], FloatArray],
    limits: tuple[FloatArray, FloatArray],
    base: FloatArray,
    bottom: FloatArray,
) -> tuple[BoolArray, BoolArray]:
    """Descend from a guess of the bottom series to the bounds in force at the optimum.

    Parameters
    ----------
    precise : callable
        ``W**-1 v`` for v of shape (n_nodes,).
    newton : callable
        Bottom series that are optimal when those in the given masks are on their lower and upper
        bounds.
    limits : pair of float arrays, shape (n_bottom,)
    base : float array, shape (n_nodes,)
    bottom : float array, shape (n_bottom,)

    Returns
    -------
    pair of bool arrays, shape (n_bottom,)
        Series on their lower and on their upper bound.
    """
    current = np.clip(bottom, *limits)
    low, high = current <= limits[0], current >= limits[1]
    for _ in range(STEPS):
        gradient = product(summing.T, precise(product(summing, current) - base))
        low = (current <= limits[0]) & (gradient > 0)
        high = (current >= limits[1]) & (gradient < 0)
        step = _projected_step(
            summing, precise, limits, gradient, current, newton(low, high) - current
        )
        current = current + step
        if np.abs(step).max(initial=0.0) <= NEGLIGIBLE * np.abs(current).max(initial=0.0):
            break
    return low, high


def _projected_step(
    summing: SparseArray,
    precise: Callable[[FloatArray], FloatArray],
    limits: tuple[FloatArray, FloatArray],
    gradient: FloatArray,
    current: FloatArray,
    direction: FloatArray,
) -> FloatArray:
    """Longest of the halved steps that lowers the objective enough; none if rounding hides it."""
    for halving in range(HALVINGS):
        step = np.clip(current + 0.5**halving * direction, *limits) - current
        slope = float(gradient @ step)
        moved = product(summing, step)
        if slope + 0.5 * float(moved @ precise(moved)) <= SUFFICIENT * slope:
            return step
    return np.zeros_like(current)
