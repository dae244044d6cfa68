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
    and are nearer to the truth. Beyond the outermost centres nothing is known but the share of
    events of the outermost step: to the edges it changes by what half a row more would make of it,
    so that scores that know nothing are calibrated to the share of events, and yet keep their
    order. No share of a step is nearer to 0 or 1 than half a row among all would be.

    Source: B. Zadrozny and C. Elkan (2002), Transforming classifier scores into accurate
    multiclass probability estimates, KDD; A. P. Oron and N. Flournoy (2017), Centered isotonic
    regression: point and interval estimation for dose–response studies, Statistics in
    Biopharmaceutical Research 9, which leaves the outermost share as it is.

    Parameters
    ----------
    clipped, actual, weight : ndarray, shape (rows,)
        Probabilities inside the edges, outcomes 0 or 1, and what each row counts.
    """
    x, events, rows = centres(logit(clipped), actual, weight)
    inside = (x > -LIMIT + NEAREST) & (x < LIMIT - NEAREST)
    half = 0.5 / (float(weight.sum()) + 1.0)
    y = logit(np.clip(events / rows, half, 1.0 - half))[inside]
    ends = np.array([events[0] / (rows[0] + 0.5), (events[-1] + 0.5) / (rows[-1] + 0.5)])
    low, high = logit(np.clip(ends, half / 2.0, 1.0 - half / 2.0)).tolist()
    return KnotMap(x=(-LIMIT, *x[inside].tolist(), LIMIT), y=(low, *y.tolist(), high))


def centres(
    x: FloatArray, actual: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return of each rising step its mean ``x``, its events and its rows, shapes (steps,)."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(x, kind="stable")
    _, first = np.unique(x[order], return_index=True)
    weights = np.add.reduceat(weight[order], first)
    means = np.add.reduceat((weight * actual)[order], first) / weights
    steps = isotonic_regression(means, weights=weights).blocks[:-1]
    moments = (weight * x, weight * actual, weight)
    sums = [np.add.reduceat(values[order], first[steps]) for values in moments]
    while (near := np.diff(sums[0] / sums[2]) < NEAREST).any():
        sums = [np.add.reduceat(part, _starts(near)) for part in sums]
    return sums[0] / sums[2], sums[1], sums[2]


def _starts(near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return where steps begin once each that is near the one before, which is not, joins it."""
    joins = np.concatenate([[False], near])
    alone = joins & np.concatenate([[False], joins[:-1]])
    return np.flatnonzero(~joins | alone)
