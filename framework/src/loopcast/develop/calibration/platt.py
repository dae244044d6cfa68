"""Platt scaling: a sigmoid of the log-odds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.calibration.maps import BetaMap, logit
from loopcast.develop.calibration.regression import logistic_coefficients, softened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


def fit(clipped: FloatArray, actual: FloatArray, weight: FloatArray) -> BetaMap:
    """Learn two parameters, slope and intercept on the scale of log-odds.

    A slope below 0, as a score without any information may give, becomes 0.

    Source: J. C. Platt (1999), Probabilistic outputs for support vector machines and comparisons
    to regularized likelihood methods, Advances in Large Margin Classifiers.

    Parameters
    ----------
    clipped, actual, weight : ndarray, shape (rows,)
        Probabilities inside the edges, outcomes 0 or 1, and what each row counts.
    """
    target = softened(actual, weight)
    slope, intercept = logistic_coefficients(logit(clipped)[:, None], target, weight)
    if slope < 0.0:
        slope, [intercept] = 0.0, logistic_coefficients(np.empty((len(target), 0)), target, weight)
    return BetaMap(a=float(slope), b=float(slope), c=float(intercept))
