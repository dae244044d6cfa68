"""Penalised logistic regression on bins, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError
from loopcast_credit.smooth.penalty import START, Penalties, next_strength

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_credit.smooth.design import Design

STEPS = 100
TUNING = (1, 1, 2)
"""How often the strengths of the penalties move at each of the first steps."""
CLOSE = 1e-4
"""Largest change of a coefficient, in log-odds, at which the fit has converged."""
SLOW = 0.5
"""The curvature hardly changes any more once the strengths stand, so that it is computed anew only
where a step is still more than this part of the one before."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients of a design.

    Attributes
    ----------
    beta : ndarray, shape (coefficients,)
        The intercept, then the bins of each characteristic.
    information : ndarray, shape (coefficients,)
        Weight of each coefficient in the likelihood: the diagonal of its curvature nearby.
    """

    beta: NDArray[np.float64]
    information: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Point:
    """The likelihood at some coefficients.

    Attributes
    ----------
    beta, slope : ndarray, shape (coefficients,)
        The coefficients, and the derivative of the log-likelihood by each.
    probability : ndarray, shape (rows,)
        Of the event.
    """

    beta: NDArray[np.float64]
    slope: NDArray[np.float64]
    probability: NDArray[np.float64]

    def variance(self, design: Design) -> NDArray[np.float64]:
        """Return the weight of each row in the curvature, shape (rows,)."""
        return np.asarray(design.weight * self.probability * (1.0 - self.probability))


@dataclass(frozen=True, eq=False)
class _Quadratic:
    """The penalised likelihood as Newton's method sees it; its matrix as a triangular factor."""

    penalty: NDArray[np.float64]
    factor: NDArray[np.float64]


def fit_bins(design: Design, parts: Penalties) -> Fit:
    """Maximise the penalised likelihood, and with it the strengths of the penalties.

    The strengths move between the first steps, each at the quadratic that Newton's method has
    there (performance iteration: S. N. Wood, Generalized Additive Models, 2nd edition, 6.4).

    Raises
    ------
    ConvergenceError
        Where coefficients still move after many steps.
    """
    point = _start(design)
    strength = np.full(len(parts.ranks), START)
    curvature = design.curvature(point.variance(design))
    quadratic = _quadratic(curvature, parts.total(strength))
    change = np.inf
    for step in range(STEPS):
        for _ in range(TUNING[step] if step < len(TUNING) else 0):
            target = _solved(quadratic, curvature @ point.beta + point.slope)
            strength = next_strength(parts, strength, _inverse(quadratic), target)
            quadratic = _quadratic(curvature, parts.total(strength))
        before, last = point, change
        point = _uphill(design, point, quadratic)
        change = float(np.abs(point.beta - before.beta).max())
        tuned = step > len(TUNING)
        if tuned and change < CLOSE:
            return Fit(point.beta, curvature.diagonal())
        if step == len(TUNING) - 1 or (tuned and change > SLOW * last):
            curvature = design.curvature(point.variance(design))
            quadratic = _quadratic(curvature, quadratic.penalty)
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
    with np.errstate(over="ignore"):
        probability = 1.0 / (1.0 + np.exp(-design.log_odds(beta)))
    slope = design.sums(design.weight * (design.event - probability))
    return _Point(beta, slope, probability)


def _uphill(design: Design, point: _Point, quadratic: _Quadratic) -> _Point:
    """Go to the top of the quadratic, or half as far each time that this is beyond the summit.

    The penalised likelihood is concave, so that a step goes too far where it goes down at its end
    as steeply as it went up at its beginning.
    """
    gradient = point.slope - quadratic.penalty @ point.beta
    step = _solved(quadratic, gradient)
    rise = float(gradient @ step)
    for _ in range(30):
        there = _point(design, point.beta + step)
        if (there.slope - quadratic.penalty @ there.beta) @ step >= -rise:
            return there
        step, rise = step / 2.0, rise / 2.0
    return point


def _quadratic(curvature: NDArray[np.float64], penalty: NDArray[np.float64]) -> _Quadratic:
    from scipy.linalg import cholesky

    return _Quadratic(penalty, np.asarray(cholesky(curvature + penalty, check_finite=False)))


def _solved(quadratic: _Quadratic, right: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((quadratic.factor, False), right, check_finite=False))


def _inverse(quadratic: _Quadratic) -> NDArray[np.float64]:
    """Return the upper triangle of the inverse of a quadratic's matrix."""
    from scipy.linalg import lapack

    return np.asarray(lapack.dpotri(quadratic.factor)[0])
