"""The regression of outcomes on functions of a probability, which Platt and beta scaling share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

STEPS = 100
ENOUGH = 1e-10


def softened(actual: FloatArray, weight: FloatArray) -> FloatArray:
    """Return outcomes that are a little less certain than 0 and 1.

    They keep coefficients finite where a score separates the outcomes. Source: J. C. Platt
    (1999), Probabilistic outputs for support vector machines, section 2.2: (N₊ + 1) / (N₊ + 2)
    where the event happened, 1 / (N₋ + 2) where not.
    """
    events = float(weight @ actual)
    others = float(weight.sum()) - events
    return np.where(actual == 1.0, (events + 1.0) / (events + 2.0), 1.0 / (others + 2.0))


def logistic_coefficients(x: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    """Return coefficients of a logistic regression with an intercept, the last of them.

    Newton's method; a step that would raise the loss is halved. Source: T. Hastie, R. Tibshirani
    and J. Friedman (2009), The Elements of Statistical Learning, section 4.4.1.

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
    target : ndarray, shape (rows,)
        Between 0 and 1.

    Raises
    ------
    ConvergenceError
        Where it does not converge.
    """
    design = np.column_stack([x, np.ones(len(x))])
    beta: FloatArray = np.zeros(design.shape[1])
    loss = _loss(design @ beta, target, weight)
    for _ in range(STEPS):
        mean = 1.0 / (1.0 + np.exp(-(design @ beta)))
        gradient = design.T @ (weight * (target - mean))
        hessian = (design.T * (weight * mean * (1.0 - mean))) @ design
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        while (reached := _loss(design @ (beta + step), target, weight)) > loss:
            if np.abs(step).max() < ENOUGH:
                return beta
            step = step / 2.0
        beta, loss = beta + step, reached
        if np.abs(step).max() < ENOUGH:
            return beta
    raise ConvergenceError(f"the calibration did not converge in {STEPS} steps of Newton's method")


def _loss(linear: FloatArray, target: FloatArray, weight: FloatArray) -> float:
    return float(weight @ (np.logaddexp(0.0, linear) - target * linear))
