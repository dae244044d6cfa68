"""Beta calibration: what turns one skewed distribution of scores into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.calibration.maps import BetaMap
from loopcast.develop.calibration.regression import logistic_coefficients, softened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


def fit(clipped: FloatArray, actual: FloatArray, weight: FloatArray) -> BetaMap:
    """Learn three parameters: exponents of p and of 1 − p, and an intercept.

    Where one of the exponents would be negative, it is 0 and the other two are learned alone.

    Source: M. Kull, T. Silva Filho and P. Flach (2017), Beta calibration: a well-founded and
    easily implemented improvement on logistic calibration for binary classifiers, AISTATS,
    algorithm 1; with the softened outcomes of Platt (1999).

    Parameters
    ----------
    clipped, actual, weight : ndarray, shape (rows,)
        Probabilities inside the edges, outcomes 0 or 1, and what each row counts.
    """
    target = softened(actual, weight)
    x = np.column_stack([np.log(clipped), -np.log1p(-clipped)])
    kept = np.array([True, True])
    found = logistic_coefficients(x, target, weight)
    while (found[:-1] < 0.0).any():
        kept[np.flatnonzero(kept)[np.argmin(found[:-1])]] = False
        found = logistic_coefficients(x[:, kept], target, weight)
    powers = np.zeros(2)
    powers[kept] = found[:-1]
    return BetaMap(a=float(powers[0]), b=float(powers[1]), c=float(found[-1]))
