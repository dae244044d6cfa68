"""Penalised logistic regression on bins, by Newton's method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError
from loopcast_credit.smooth.penalty import (
    START,
    Penalty,
    freedom,
    next_strength,
    total_penalty,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_credit.smooth.design import Design

STEPS = 100
TUNING = 6
"""Steps at which the strengths of the penalties move."""
CLOSE = 1e-6
"""Largest change of a coefficient, in log-odds, at which the fit has converged."""
SLOW = 0.2
"""The curvature hardly changes between steps, so it is computed anew only where a step is still
more than this part of the one before."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients of a design.

    Attributes
    ----------
    beta : ndarray, shape (coefficients,)
        The intercept, then the bins of each characteristic.
    information : ndarray, shape (coefficients,)
        Weight of each coefficient in the likelihood: the diagonal of its curvature.
    """

    beta: NDArray[np.float64]
    information: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Point:
    """The likelihood at some coefficients."""

    beta: NDArray[np.float64]
    likelihood: float
    residual: NDArray[np.float64]
    variance: NDArray[np.float64]


def fit_bins(design: Design, parts: Sequence[Penalty]) -> Fit:
    """Maximise the penalised likelihood, and with it the strengths of the penalties.

    The strengths move between the first steps, each at the quadratic that Newton's method has
    there (performance iteration: S. N. Wood, Generalized Additive Models, 2nd edition, 6.4).

    Raises
    ------
    ConvergenceError
        Where coefficients still move after many steps.
    """
    point = _start(design)
    strength = np.full(len(parts), START)
    curvature = design.curvature(point.variance)
    change = np.inf
    for step in range(STEPS):
        pull = curvature @ point.beta + design.sums(point.residual)
        if step < TUNING:
            strength = _tuned(curvature, pull, parts, strength)
        penalty = total_penalty(parts, strength, len(pull))
        before, last = point, change
        point = _uphill(design, point, _solve(curvature + penalty, pull), penalty)
        change = float(np.abs(point.beta - before.beta).max())
        if change < CLOSE and step >= TUNING:
            return Fit(point.beta, design.sums(point.variance))
        if step == 1 or (step >= TUNING and change > SLOW * last):
            curvature = design.curvature(point.variance)
    raise ConvergenceError(
        f"coefficients still moved by {change:.2g} in step {STEPS}; use fewer bins"
    )


def _start(design: Design) -> _Point:
    """Return the point where every row has the same odds."""
    beta = np.zeros(int(design.starts[-1]))
    share = np.average(design.event, weights=design.weight)
    beta[0] = np.log(share / (1.0 - share)) - np.average(design.offset, weights=design.weight)
    return _point(design, beta)


def _point(design: Design, beta: NDArray[np.float64]) -> _Point:
    log_odds = design.log_odds(beta)
    small = np.exp(-np.abs(log_odds))
    high = 1.0 / (1.0 + small)
    probability = np.where(log_odds >= 0.0, high, small * high)
    gain = design.event * log_odds - np.maximum(log_odds, 0.0) - np.log1p(small)
    return _Point(
        beta=beta,
        likelihood=float(design.weight @ gain),
        residual=design.weight * (design.event - probability),
        variance=design.weight * small * high * high,
    )


def _tuned(
    curvature: NDArray[np.float64],
    pull: NDArray[np.float64],
    parts: Sequence[Penalty],
    strength: NDArray[np.float64],
) -> NDArray[np.float64]:
    covariance = _inverse(curvature + total_penalty(parts, strength, len(pull)))
    left = freedom(parts, strength, covariance)
    return next_strength(parts, left, covariance @ pull)


def _uphill(
    design: Design, point: _Point, target: NDArray[np.float64], penalty: NDArray[np.float64]
) -> _Point:
    """Go towards a target, half as far each time that the penalised likelihood falls."""
    from_here = point.likelihood - 0.5 * point.beta @ penalty @ point.beta
    slack = 1e-10 * (1.0 + abs(from_here))
    share = 1.0
    for _ in range(30):
        beta = point.beta + share * (target - point.beta)
        there = _point(design, beta)
        if there.likelihood - 0.5 * beta @ penalty @ beta >= from_here - slack:
            return there
        share *= 0.5
    return point


def _solve(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import cho_factor, cho_solve

    return np.asarray(cho_solve(cho_factor(matrix, check_finite=False), right))


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import cholesky, lapack

    factor = cholesky(matrix, check_finite=False)
    upper = lapack.dpotri(factor)[0]
    return np.asarray(np.triu(upper) + np.triu(upper, 1).T)
