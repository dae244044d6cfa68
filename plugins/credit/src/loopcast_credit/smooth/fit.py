"""Penalised logistic regression on bins, by a quasi-Newton method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError
from loopcast_credit.additive.scorer import logistic
from loopcast_credit.smooth.evidence import shared_evidence
from loopcast_credit.smooth.penalty import START, Penalties, next_strength

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_credit.smooth.design import Design

STEPS = 100
TUNED = 3
"""At so many of the first steps, the strengths of the penalties move."""
CLOSE = 1e-5
"""Largest change of a coefficient, in log-odds, at which the fit has converged."""
PATIENCE = 20
"""Steps after which a fit that has not converged computes the curvature anew."""


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

    The curvature is computed once, near the summit. The strengths move between the first steps,
    each at the quadratic that Newton's method has there (performance iteration: S. N. Wood,
    Generalized Additive Models, 2nd edition, 6.4); what the curvature has become elsewhere is
    learned from the slopes on the way.

    Raises
    ------
    ConvergenceError
        Where coefficients still move after many steps.
    """
    beta, log_odds = shared_evidence(design)
    path = [_point(design, beta, log_odds)]
    strength = np.full(len(parts.ranks), START)
    curvature = design.curvature(path[0].variance(design))
    quadratic = _quadratic(curvature, parts.total(strength))
    change = np.inf
    for step in range(STEPS):
        if step < TUNED:
            target = _solved(quadratic, curvature @ path[-1].beta + path[-1].slope)
            strength = next_strength(parts, strength, _root(quadratic), target)
            quadratic = _quadratic(curvature, parts.total(strength))
        elif step % PATIENCE == 0:
            path = path[-1:]
            curvature = design.curvature(path[0].variance(design))
            quadratic = _quadratic(curvature, quadratic.penalty)
        path.append(_uphill(design, path, quadratic))
        change = float(np.abs(path[-1].beta - path[-2].beta).max())
        if step >= TUNED and change < CLOSE:
            return Fit(path[-1].beta, curvature.diagonal())
    raise ConvergenceError(
        f"coefficients still moved by {change:.2g} in step {STEPS}; use fewer bins"
    )


def _point(design: Design, beta: NDArray[np.float64], log_odds: NDArray[np.float64]) -> _Point:
    probability = logistic(log_odds)
    slope = design.sums(design.weight * (design.event - probability))
    return _Point(beta, slope, probability)


def _uphill(design: Design, path: Sequence[_Point], quadratic: _Quadratic) -> _Point:
    """Go on along a path, half as far each time that this is beyond the summit.

    The penalised likelihood is concave, so that a step goes too far where it goes down at its end
    as steeply as it went up at its beginning.
    """
    here = path[-1]
    gradient = here.slope - quadratic.penalty @ here.beta
    step = _step(path, quadratic, gradient)
    rise = float(gradient @ step)
    for _ in range(30):
        beta = here.beta + step
        there = _point(design, beta, design.log_odds(beta))
        if (there.slope - quadratic.penalty @ there.beta) @ step >= -rise:
            return there
        step, rise = step / 2.0, rise / 2.0
    return here


def _step(
    path: Sequence[_Point], quadratic: _Quadratic, gradient: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the way to the top of the quadratic, bent so that it explains the slopes of a path.

    Source: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition (2006), algorithm 7.4,
    with the quadratic's inverse in place of a multiple of the identity.
    """
    moves = np.diff([point.beta for point in path], axis=0)
    falls = moves @ quadratic.penalty - np.diff([point.slope for point in path], axis=0)
    scale = 1.0 / np.sum(moves * falls, axis=1)
    parts = np.empty(len(moves))
    for at in reversed(range(len(moves))):
        parts[at] = scale[at] * (moves[at] @ gradient)
        gradient = gradient - parts[at] * falls[at]
    step = _solved(quadratic, gradient)
    for at in range(len(moves)):
        step = step + (parts[at] - scale[at] * (falls[at] @ step)) * moves[at]
    return step


def _quadratic(curvature: NDArray[np.float64], penalty: NDArray[np.float64]) -> _Quadratic:
    from scipy.linalg import cholesky

    return _Quadratic(penalty, np.asarray(cholesky(curvature + penalty, check_finite=False)))


def _solved(quadratic: _Quadratic, right: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((quadratic.factor, False), right, check_finite=False))


def _root(quadratic: _Quadratic) -> NDArray[np.float64]:
    """Return the root of the inverse of a quadratic's matrix, an upper triangle."""
    from scipy.linalg import lapack

    return np.asarray(lapack.dtrtri(quadratic.factor)[0])
