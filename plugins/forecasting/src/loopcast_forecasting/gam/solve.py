"""Fit all series that were observed on the same rows: λ, coordinates and statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.factor import Factor, factorise
from loopcast_forecasting.gam.failure import Failure
from loopcast_forecasting.gam.grid import Spectrum, choose, spectrum
from loopcast_forecasting.gam.reml import (
    Optimum,
    Problem,
    balanced,
    evaluate,
    minimise,
    scores,
    with_freedom,
)
from loopcast_forecasting.gam.smoothing import Fixed, GcvGrid, Reml, RemlGrid, Smoothing
from loopcast_forecasting.gam.system import RIDGE, System

EXACT_FIT = 1e-12  # share of the sum of squares below which residuals are rounding errors


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """Fits of the series of a problem.

    Attributes
    ----------
    x : ndarray, shape (q, n_series)
        Coordinates; the system expands them to coefficients.
    constant : ndarray, shape (q, n_series)
        Coordinates of the fit to a series of ones at the same λ: the intercept, less what the
        ridge takes off it.
    lam : ndarray, shape (n_series, m)
    leverages : ndarray, shape (n_series, q)
        Effective degrees of freedom of each coordinate.
    rss : ndarray, shape (n_series,)
        Weighted residual sum of squares.
    failures : dict of int to Failure
        Why a series, by position in the problem, has no fit.
    """

    x: Floats
    constant: Floats
    lam: Floats
    leverages: Floats
    rss: Floats
    failures: dict[int, Failure]


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """A system with what all its series share in the choice of λ.

    Attributes
    ----------
    system : System
    smoothing : Smoothing
    factors : tuple of Factor
        The system factorised at the λ of the specification, or where searches may start.
    spectrum : Spectrum, optional
        For a grid of multipliers.
    """

    system: System
    smoothing: Smoothing
    factors: tuple[Factor, ...]
    spectrum: Spectrum | None


def prepare(system: System, smoothing: Smoothing, lams: Floats) -> Prepared:
    """Do once what all series on the same rows share.

    Parameters
    ----------
    system : System
    smoothing : Smoothing
    lams : ndarray, shape (k, m)
        λ of the specification, or where searches may start.
    """
    return Prepared(
        system=system,
        smoothing=smoothing,
        factors=tuple(factorise(system, lam) for lam in lams),
        spectrum=spectrum(system, lams[0]) if isinstance(smoothing, GcvGrid | RemlGrid) else None,
    )


def common_lam(problem: Problem, reml: Reml) -> Optimum:
    """Find the λ that is best for several series together, constant ones left out."""
    chosen = _part(problem, problem.square > 0)
    start = factorise(problem.system, with_freedom(problem.system, balanced(problem.system)))
    return minimise(chosen, evaluate(chosen, start), reml.tolerance, reml.max_iterations)


def solve(problem: Problem, prepared: Prepared) -> Solution:
    """Fit all series of a problem.

    Parameters
    ----------
    problem : Problem
    prepared : Prepared
        For the problem's system.

    Returns
    -------
    Solution
    """
    match prepared.smoothing:
        case GcvGrid() | RemlGrid() as grid:
            return _by_grid(problem, prepared, grid)
        case Reml(shared=False) as reml:
            return _by_reml(problem, prepared, reml)
        case Fixed() | Reml():
            factor = prepared.factors[0]
            return _at_once(problem, factor, factor.solve(problem.right))


def _at_once(problem: Problem, factor: Factor, x: Floats) -> Solution:
    """Return the fits ``x`` of all series at one λ with what follows from them."""
    n_series = len(problem.square)
    level = problem.system.expand[-1]
    return Solution(
        x=x,
        constant=np.tile((level - RIDGE * factor.solve(level))[:, None], n_series),
        lam=np.tile(factor.lam, (n_series, 1)),
        leverages=np.tile(factor.leverages(), (n_series, 1)),
        rss=_rss(problem, x, factor.penalty[:, None]),
        failures={},
    )


def _rss(problem: Problem, x: Floats, penalty: Floats) -> Floats:
    """Return the residual sum of squares, given ``(gram + S) x = right``."""
    explained = np.einsum("ij,ij->j", x, problem.right + (penalty + RIDGE) * x)
    return np.asarray(np.maximum(problem.square - explained, 0.0))


def _by_grid(problem: Problem, prepared: Prepared, grid: GcvGrid | RemlGrid) -> Solution:
    assert prepared.spectrum is not None
    decomposed, multipliers = prepared.spectrum, np.asarray(grid.multipliers, np.float64)
    choice = choose(problem, decomposed, grid, multipliers)
    base = prepared.factors[0]
    chosen = multipliers[choice.best]
    used, position = np.unique(choice.best, return_inverse=True)
    shrink = decomposed.shrink(multipliers[used])
    diagonal = shrink @ decomposed.vectors.T**2
    level = problem.system.expand[-1]
    ridged = decomposed.vectors @ (shrink * (decomposed.vectors.T @ level)).T
    leverages = 1 - diagonal * (multipliers[used, None] * base.penalty + RIDGE)
    return Solution(
        x=choice.x,
        constant=(level[:, None] - RIDGE * ridged)[:, position],
        lam=chosen[:, None] * base.lam,
        leverages=leverages[position],
        rss=_rss(problem, choice.x, np.outer(base.penalty, chosen)),
        failures={
            int(k): Failure("data", "too few values for any smoothing parameter of the grid")
            for k in np.flatnonzero(np.isinf(choice.score))
        },
    )


def _by_reml(problem: Problem, prepared: Prepared, reml: Reml) -> Solution:
    nearest = np.array([scores(problem, start) for start in prepared.factors]).argmin(axis=0)
    parts = [
        _search(_part(problem, slice(k, k + 1)), prepared.factors[start], reml)
        for k, start in enumerate(nearest)
    ]
    return Solution(
        x=np.hstack([part.x for part in parts]),
        constant=np.hstack([part.constant for part in parts]),
        lam=np.vstack([part.lam for part in parts]),
        leverages=np.vstack([part.leverages for part in parts]),
        rss=np.concatenate([part.rss for part in parts]),
        failures={k: part.failures[0] for k, part in enumerate(parts) if part.failures},
    )


def _search(problem: Problem, start: Factor, reml: Reml) -> Solution:
    """Fit a single series; only small arrays are kept of the search."""
    state = evaluate(problem, start)
    if state.deviance[0] <= EXACT_FIT * problem.square[0] or not problem.square[0]:
        return _at_once(problem, start, state.x)
    optimum = minimise(problem, state, reml.tolerance, reml.max_iterations)
    solution = _at_once(problem, optimum.state.factor, optimum.state.x)
    if not optimum.converged:
        solution.failures[0] = Failure(
            "convergence",
            f"the choice of smoothing parameters did not converge in {optimum.iterations} "
            f"iterations; another step promised {optimum.gain:.2g} of log likelihood",
        )
    return solution


def _part(problem: Problem, series: slice | NDArray[np.bool_]) -> Problem:
    return Problem(
        system=problem.system,
        right=np.asfortranarray(problem.right[:, series]),
        square=problem.square[series],
        n_rows=problem.n_rows,
    )
