"""Penalised logistic regression by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 100
CLOSE = 1e-9
CERTAIN = 1e-8
"""A loss for each row below which the outcomes are told apart."""


def newton(
    x: NDArray[np.float64],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    offset: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit a logistic regression with an intercept that is not penalised.

    Source: T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning,
    2nd edition (2009), 4.4.1; a step that does not raise the likelihood is halved.

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
    event, weight, offset : ndarray, shape (rows,)
        Outcome, 0 or 1; weights; log-odds that are known beforehand.
    penalty : ndarray, shape (columns,)
        On half the square of each coefficient.

    Returns
    -------
    ndarray, shape (1 + columns,)
        The intercept first.

    Raises
    ------
    ConvergenceError
        Where coefficients grow without end, as they do without a penalty when a column tells
        the outcomes apart.
    """
    x = np.column_stack([np.ones(len(x)), x])
    ridge = np.diag(np.concatenate([[0.0], penalty]))
    share = np.average(event, weights=weight)
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1.0 - share)) - np.average(offset, weights=weight)

    def objective(beta: NDArray[np.float64]) -> float:
        log_odds = offset + x @ beta
        likelihood = weight @ (event * log_odds - np.logaddexp(0.0, log_odds))
        return float(likelihood - 0.5 * beta @ ridge @ beta)

    here = objective(beta)
    for _ in range(STEPS):
        probability = _logistic(offset + x @ beta)
        gradient = x.T @ (weight * (event - probability)) - ridge @ beta
        curvature = (x.T * (weight * probability * (1.0 - probability))) @ x + ridge
        step = _solved(curvature, gradient)
        there = objective(beta + step)
        while there < here - 1e-10 * abs(here) and np.abs(step).max() > CLOSE:
            step = step / 2.0
            there = objective(beta + step)
        beta, here = beta + step, there
        if here > -CERTAIN * weight.sum():
            break
        if np.abs(step).max() < CLOSE * (1.0 + np.abs(beta).max()):
            return beta
    raise ConvergenceError(
        f"coefficients grow without end ({np.abs(beta).max():.3g} by now), as where a column tells "
        "the outcomes apart; use a larger ridge"
    )


def _logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0))))


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve, with the smallest solution where columns say the same thing."""
    try:
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, right)[0])
