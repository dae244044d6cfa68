"""Which bottom series end on a bound, by an active set method that cannot go round in circles.

Bounded least squares after Lawson and Hanson (1974, chapter 23) and Stark and Parker (1995): from
values within the bounds, go straight towards the optimum for the bounds in force, stop at the first
bound on the way and put it in force too; once the optimum is reached, release the bounds whose
multipliers have the wrong sign. The objective falls at every stage, so no set comes twice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopcast_forecasting.reconcile._types import BoolArray, FloatArray


def descend(
    optimum: Callable[[BoolArray, BoolArray], tuple[FloatArray, FloatArray]],
    lower: FloatArray,
    upper: FloatArray,
    bottom: FloatArray,
) -> tuple[BoolArray, BoolArray]:
    """Find the bounds in force at the optimum, starting from a guess of the bottom series.

    Parameters
    ----------
    optimum : callable
        For masks of series on their lower and on their upper bound: the optimal bottom series, and
        by how much each violates the optimality conditions (outside its bounds if free, pushing
        inwards if not), 0 where it does not.
    lower, upper, bottom : float array, shape (n_bottom,)

    Returns
    -------
    pair of bool arrays, shape (n_bottom,)
        Series on their lower and on their upper bound.
    """
    current = np.clip(bottom, lower, upper)
    low, high = current <= lower, current >= upper
    moved = True
    while True:
        best, excess = optimum(low, high)
        free = ~(low | high)
        if (excess[free] > 0).any():
            current, share = _towards(best, current, lower, upper, free)
            moved = moved or share > 0.0
            low, high = low | (free & (current <= lower)), high | (free & (current >= upper))
            continue
        if not (excess > 0).any():
            return low, high
        moved = moved or bool(np.any(best[free] != current[free]))
        current = np.where(free, np.clip(best, lower, upper), current)
        # Several released together may block one another at once; the worst alone never is.
        release = excess > 0 if moved else excess == excess.max()
        low, high, moved = low & ~release, high & ~release, False


def _towards(
    best: FloatArray, current: FloatArray, lower: FloatArray, upper: FloatArray, free: BoolArray
) -> tuple[FloatArray, float]:
    """Step to the first bound on the way to best, and the share of the way that is."""
    bound = np.where(best < lower, lower, upper)
    ahead = free & ((best < lower) | (best > upper))
    share = np.full_like(current, np.inf)
    share[ahead] = (bound[ahead] - current[ahead]) / (best[ahead] - current[ahead])
    first = min(float(share.min()), 1.0)
    step = np.where(free, current + first * (best - current), current)
    return np.where(share <= first, bound, np.clip(step, lower, upper)), first
