"""Smoothing parameters per term by restricted maximum likelihood (REML).

With a profiled scale, minus the restricted log likelihood of N series that share λ is, up to a
constant (Wood 2011, J. R. Stat. Soc. B 73, section 2; his ``M_p`` is the dimension that no
penalty reaches),

    V(ρ) = ½ Σ_i (n - M_p) log D_i + N/2 (log|XᵀWX + S| - log|S|₊),   S = Σ_j exp(ρ_j) S_j,

where ``D = yᵀWy - βᵀXᵀWy`` is the penalised deviance. It is minimised over ρ = log λ by Newton
steps with the exact Hessian, which in coordinates with diagonal penalties costs hardly more than
the gradient; where such a step leads nowhere, the generalised Fellner–Schall update takes its
place (Wood & Fasiolo 2017, Biometrics 73, equation 6), which always leads downwards at first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.factor import Factor, factorise
from loopcast_forecasting.gam.system import System

LONGEST_STEP = 5.0  # in log λ
LEAST_FREEDOM = 0.1  # effective degrees of freedom of a term beyond its null space
LEAST_GAIN = 0.01  # of log likelihood, for which a term is brought back from its null space
NEGLIGIBLE = 9.0  # in log λ; beyond a balance of data and penalty, the weaker hardly counts
HALVINGS = 25
EXACT_DEVIANCE = 1e-14  # share of the sum of squares below which a deviance is rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """Series observed on the same rows with the same weights.

    Attributes
    ----------
    system : System
    right : ndarray, shape (q, n_series), float64
        ``expandᵀ XᵀWy``.
    square : ndarray, shape (n_series,)
        ``yᵀWy``.
    n_rows : float
        Number of rows with a positive weight, or of independent observations among them.
    """

    system: System
    right: Floats
    square: Floats
    n_rows: float


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """A point of the search.

    Attributes
    ----------
    factor : Factor
    x : ndarray, shape (q, n_series)
    deviance : ndarray, shape (n_series,)
        Penalised deviance ``D``.
    score : float
        ``V``.
    """

    factor: Factor
    x: Floats
    deviance: Floats
    score: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    state : State
    converged : bool
    iterations : int
    gain : float
        Predicted improvement of ``V`` by another step.
    """

    state: State
    converged: bool
    iterations: int
    gain: float


def minimise(problem: Problem, state: State, tolerance: float, max_iterations: int) -> Optimum:
    """Find the λ that several series share, or one series has, by REML.

    Parameters
    ----------
    problem : Problem
    state : State
        Where to start; its factorisation is used, not repeated.
    tolerance : float
        The search has converged when a step promises less improvement of the restricted log
        likelihood, per series.
    max_iterations : int

    Returns
    -------
    Optimum
        With ``converged`` false if the iterations ran out or no step led downwards.
    """
    low, high = limits(problem.system)
    gain = np.inf
    for iteration in range(max_iterations):
        slopes = _Slopes.at(problem, state)
        rho = np.log(state.factor.lam)
        step = _newton(rho, slopes, problem.system)
        gain = float(np.abs(slopes.gradient) @ np.minimum(np.abs(step), 1))
        if gain < tolerance * len(problem.square):
            return Optimum(state=state, converged=True, iterations=iteration, gain=gain)
        better = _descend(problem, state, step, low, high) or _descend(
            problem, state, slopes.fellner_schall, low, high
        )
        if better is None:
            return Optimum(state=state, converged=False, iterations=iteration, gain=gain)
        state = better
    return Optimum(state=state, converged=False, iterations=max_iterations, gain=gain)


def evaluate(problem: Problem, factor: Factor) -> State:
    """Fit the series at a λ and score it for them together."""
    x, deviance = _fit(problem, factor)
    score = float(_scores(problem, factor, deviance).sum())
    return State(factor=factor, x=x, deviance=deviance, score=score)


def scores(problem: Problem, factor: Factor) -> Floats:
    """Return the score of each series at a λ, shape (n_series,)."""
    return _scores(problem, factor, _fit(problem, factor)[1])


def _fit(problem: Problem, factor: Factor) -> tuple[Floats, Floats]:
    x = factor.solve(problem.right)
    floor = EXACT_DEVIANCE * problem.square + np.finfo(np.float64).tiny
    deviance = problem.square - np.einsum("ij,ij->j", problem.right, x)
    return x, np.maximum(deviance, floor)


def _scores(problem: Problem, factor: Factor, deviance: Floats) -> Floats:
    dof = problem.n_rows - problem.system.n_unpenalised
    return (dof * np.log(deviance) + factor.log_determinant - factor.log_penalty) / 2


def limits(system: System) -> tuple[Floats, Floats]:
    """Return bounds of log λ beyond which a term is as good as unpenalised or as its null space."""
    least, greatest = system.balances
    return least - NEGLIGIBLE, greatest + NEGLIGIBLE


def balanced(system: System) -> Floats:
    """Return a λ at which each penalty weighs as much as the data it acts on."""
    data = np.diagonal(system.gram)
    return np.array([data[row > 0].sum() / row.sum() for row in system.diagonals])


def with_freedom(system: System, lam: Floats) -> Floats:
    """Return λ no larger than where the smoothest direction of each term keeps half its freedom.

    A search must not start where a term is smoothed away: the score is flat there, and the way
    back cannot be seen.
    """
    return np.minimum(lam, np.exp(system.balances[1]))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Slopes:
    """Derivatives of the score in log λ, each penalty's freedom, the Fellner–Schall step."""

    gradient: Floats
    hessian: Floats
    freedom: Floats
    fellner_schall: Floats

    @classmethod
    def at(cls, problem: Problem, state: State) -> _Slopes:
        factor, x, deviance = state.factor, state.x, state.deviance
        n_series = len(deviance)
        dof = problem.n_rows - problem.system.n_unpenalised
        scaled = factor.lam[:, None] * problem.system.diagonals
        share = scaled / np.where(factor.penalty > 0, factor.penalty, 1.0)
        rank = share.sum(axis=1)
        trace = scaled @ factor.inverse_diagonal
        roughness = (scaled @ x**2) / deviance
        gradient = dof * roughness.sum(axis=1) + n_series * (trace - rank)
        hessian = n_series * (share @ share.T - _quadratic(factor.lower_inverse**2, scaled))
        hessian -= dof * (roughness @ roughness.T + 2 * _curvature(factor, scaled, x, deviance))
        hessian.flat[:: len(gradient) + 1] += gradient
        update = (rank - trace) * n_series / np.maximum(dof * roughness.sum(axis=1), 1e-300)
        return cls(
            gradient=gradient / 2,
            hessian=hessian / 2,
            freedom=rank - trace,
            fellner_schall=np.log(np.clip(update, 1e-3, 1e3)),
        )


def _quadratic(lower: Floats, rows: Floats) -> Floats:
    """Return ``rows M rowsᵀ`` for the symmetric M whose lower triangle is given."""
    half = rows @ lower @ rows.T
    return np.asarray(half + half.T - (rows * np.diagonal(lower)) @ rows.T)


def _curvature(factor: Factor, scaled: Floats, x: Floats, deviance: Floats) -> Floats:
    """Return ``Σ_i u_jᵀ V u_k / D_i`` with ``u_j = λ_j S_j x_i``."""
    if x.shape[1] == 1:
        return np.asarray(_quadratic(factor.lower_inverse, scaled * x[:, 0]) / deviance[0])
    u = scaled[:, :, None] * x
    m, q, n = u.shape
    solved = factor.solve(np.asfortranarray(np.moveaxis(u, 0, 1).reshape(q, m * n)))
    solved = solved.reshape(q, m, n)
    return np.asarray(np.einsum("jin,ikn->jk", u / deviance, solved, optimize=True))


def _newton(rho: Floats, slopes: _Slopes, system: System) -> Floats:
    """Return a descent step: Newton's, with the Hessian's eigenvalues made positive.

    A penalty under which a term has next to no freedom left goes all the way to the bound, or
    back to where the term has some: in between the score is flat.
    """
    low, high = limits(system)
    gradient = slopes.gradient
    step = np.zeros_like(rho)
    vanishing = slopes.freedom < LEAST_FREEDOM
    back = np.minimum(system.balances[1], rho)
    # The slope is that of -1/λ, so this is what going back would gain.
    worthwhile = gradient * np.exp(rho - back) > LEAST_GAIN
    target = np.where(gradient < 0, high, np.where(worthwhile, back, rho))
    step[vanishing] = target[vanishing] - rho[vanishing]
    move = np.flatnonzero(~vanishing & ~((rho <= low) & (gradient > 0)))
    if len(move):
        values, vectors = np.linalg.eigh(slopes.hessian[np.ix_(move, move)])
        sizes = np.maximum(np.abs(values), 1e-7 * np.abs(values).max() + 1e-12)
        newton = -vectors @ ((vectors.T @ gradient[move]) / sizes)
        step[move] = np.clip(newton, -LONGEST_STEP, LONGEST_STEP)
    return step


def _descend(
    problem: Problem, state: State, step: Floats, low: Floats, high: Floats
) -> State | None:
    """Go as far along a step as the score falls, halving it until it does."""
    rho = np.log(state.factor.lam)
    for _ in range(HALVINGS):
        factor = factorise(problem.system, np.exp(np.clip(rho + step, low, high)))
        trial = evaluate(problem, factor)
        if trial.score < state.score:
            return trial
        step = step / 2
    return None
