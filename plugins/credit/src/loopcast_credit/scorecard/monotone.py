"""Neighbouring intervals put together where they go against the direction of risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
