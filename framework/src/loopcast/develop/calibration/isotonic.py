"""Isotonic calibration: any rising curve, as the data has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.calibration.maps import LIMIT, KnotMap, logit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

NEAREST = 1e-3
"""Distance in log-odds within which two knots become one, so that no line is steep."""


def fit(clipped: FloatArray, actual: FloatArray, weight: FloatArray) -> KnotMap:
    """Learn the rising steps of least squares, and join their centres by straight lines.

    Steps would make ties of what the model tells apart; lines between centres keep the ranking,
    and are nearer to the truth. Beyond the outermost centres they lead to the edges. No share of
    events is nearer to 0 or 1 than half a row among all would be.

    Source: B. Zadrozny and C. Elkan (2002), Transforming classifier scores into accurate
    multiclass probability estimates, KDD; A. P. Oron and N. Flournoy (2017), Centered isotonic
    regression: point and interval estimation for dose–response studies, Statistics in
    Biopharmaceutical Research 9.

    Parameters
    ----------
    clipped, actual, weight : ndarray, shape (rows,)
        Probabilities inside the edges, outcomes 0 or 1, and what each row counts.
    """
    x, y = centres(logit(clipped), actual, weight)
    half = 0.5 / (float(weight.sum()) + 1.0)
    y = logit(np.clip(y, half, 1.0 - half))
    inside = (x > -LIMIT + NEAREST) & (x < LIMIT - NEAREST)
    low, high = min(-LIMIT, float(y[0])), max(LIMIT, float(y[-1]))
    return KnotMap(x=(-LIMIT, *x[inside].tolist(), LIMIT), y=(low, *y[inside].tolist(), high))


def centres(x: FloatArray, actual: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean ``x`` and the share of events of each rising step, shapes (steps,)."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(x, kind="stable")
    _, first = np.unique(x[order], return_index=True)
    weights = np.add.reduceat(weight[order], first)
    means = np.add.reduceat((weight * actual)[order], first) / weights
    steps = isotonic_regression(means, weights=weights).blocks[:-1]
    sums = [np.add.reduceat(values[order], first[steps]) for values in _moments(x, actual, weight)]
    while (near := np.diff(sums[0] / sums[2]) < NEAREST).any():
        sums = [np.add.reduceat(part, _starts(near)) for part in sums]
    return sums[0] / sums[2], sums[1] / sums[2]


def _moments(
    x: FloatArray, actual: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    return weight * x, weight * actual, weight


def _starts(near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return where steps begin once each that is near the one before, which is not, joins it."""
    joins = np.concatenate([[False], near])
    alone = joins & np.concatenate([[False], joins[:-1]])
    return np.flatnonzero(~joins | alone)
