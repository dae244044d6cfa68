"""Neighbouring intervals put together: those against the direction of risk, and those alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from loopcast_credit.bins.bins import NumericBins

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pooled(bins: NumericBins, starts: Sequence[int]) -> NumericBins:
    """Return bins with only the intervals that begin at ``starts``, of which the first is 0."""
    return msgspec.structs.replace(bins, cuts=tuple(bins.cuts[at - 1] for at in starts[1:]))


def monotone_starts(
    values: NDArray[np.float64],
    weight: NDArray[np.float64],
    direction: Literal["increasing", "decreasing", "auto"],
) -> list[int]:
    """Pool adjacent intervals that go against a direction.

    Parameters
    ----------
    values, weight : ndarray, shape (intervals,)
    direction
        ``auto`` takes the one that changes the values less.

    Returns
    -------
    list
        Where each pool begins.
    """
    from scipy.optimize import isotonic_regression

    safe = np.maximum(weight, 1e-9)
    wanted = (True, False) if direction == "auto" else (direction == "increasing",)
    fits = [isotonic_regression(values, weights=safe, increasing=up) for up in wanted]
    best = min(fits, key=lambda fit: float(safe @ (fit.x - values) ** 2))
    return [int(at) for at in best.blocks[:-1]]


def alike_starts(values: NDArray[np.float64], tolerance: float) -> list[int]:
    """Pool each run of neighbours that stay within a tolerance of the run's first."""
    starts = [0]
    for at in range(1, len(values)):
        if abs(values[at] - values[starts[-1]]) >= tolerance:
            starts.append(at)
    return starts
