"""One λ multiplier per series from a grid, by generalised cross-validation (GCV) or REML.

All penalties keep their ratios, so Gram matrix and penalty have common eigenvectors and one
decomposition serves every multiplier and every series (Wood 2017, Generalized Additive Models,
section 6.2; Demmler & Reinsch 1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.factor import factorise
from loopcast_forecasting.gam.reml import EXACT_DEVIANCE, Problem
from loopcast_forecasting.gam.smoothing import GcvGrid, RemlGrid
from loopcast_forecasting.gam.system import System


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """A system in coordinates where Gram matrix and summed penalty are diagonal.

    Attributes
    ----------
    vectors : ndarray, shape (q, q)
        ``vectorsᵀ (gram + S) vectors = I`` and ``vectorsᵀ S vectors = diag(penalty)``.
    penalty : ndarray, shape (q,)
        Between 0, for what data alone determine, and 1.
    """

    vectors: Floats
    penalty: Floats

    def shrink(self, multipliers: Floats) -> Floats:
        """Return the inverse of ``gram + multiplier S`` in these coordinates, shape (g, q)."""
        return np.asarray(1 / (1 + np.outer(multipliers - 1, self.penalty)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """The best multiplier of each series.

    Attributes
    ----------
    best : ndarray, shape (n_series,), intp
        Position in the grid.
    score : ndarray, shape (n_series,)
        Criterion at the best multiplier.
    x : ndarray, shape (q, n_series)
        Coordinates of the fit at the best multiplier.
    """

    best: Indices
    score: Floats
    x: Floats


def spectrum(system: System, lam: Floats) -> Spectrum:
    """Decompose a system at the λ that multipliers multiply."""
    factor = factorise(system, lam)
    half = linalg.solve_triangular(factor.cholesky, np.diag(np.sqrt(factor.penalty)), lower=True)
    penalty, vectors = np.linalg.eigh(half @ half.T)
    vectors = linalg.solve_triangular(factor.cholesky, vectors, lower=True, trans=1)
    return Spectrum(vectors=vectors, penalty=np.clip(penalty, 0, 1))


def choose(
    problem: Problem, decomposed: Spectrum, smoothing: GcvGrid | RemlGrid, multipliers: Floats
) -> Choice:
    """Choose each series' multiplier.

    Parameters
    ----------
    problem : Problem
    decomposed : Spectrum
    smoothing : GcvGrid or RemlGrid
        The criterion.
    multipliers : ndarray, shape (g,)

    Returns
    -------
    Choice
    """
    shrink = decomposed.shrink(multipliers)
    z = decomposed.vectors.T @ problem.right
    if isinstance(smoothing, GcvGrid):
        scores = _gcv(problem, decomposed.penalty, shrink, z**2, smoothing.gamma)
    else:
        scores = _reml(problem, decomposed.penalty, multipliers, z**2)
    best = scores.argmin(axis=0)
    return Choice(
        best=best,
        score=scores[best, np.arange(len(best))],
        x=decomposed.vectors @ (shrink[best].T * z),
    )


def _gcv(problem: Problem, penalty: Floats, shrink: Floats, energy: Floats, gamma: float) -> Floats:
    """Return ``n RSS / (n - gamma edf)²`` for each multiplier and series, shape (g, n_series)."""
    n = problem.n_rows
    # With fitted coordinates w z: RSS = yᵀy - 2 w z·z + w² (1 - penalty) z·z.
    rss = problem.square - (2 * shrink - shrink**2 * (1 - penalty)) @ energy
    freedom = n - gamma * (shrink @ (1 - penalty))
    usable = np.where(freedom > 0, freedom, np.nan)[:, None]
    return np.asarray(np.nan_to_num(n * np.maximum(rss, 0) / usable**2, nan=np.inf))


def _reml(problem: Problem, penalty: Floats, multipliers: Floats, energy: Floats) -> Floats:
    """Return the restricted log likelihood as in `reml`, up to a constant, shape (g, n_series)."""
    relative = 1 + np.outer(multipliers - 1, penalty)
    deviance = problem.square - (1 / relative) @ energy
    floor = EXACT_DEVIANCE * problem.square + np.finfo(np.float64).tiny
    dof = problem.n_rows - problem.system.n_unpenalised
    rank = len(penalty) - problem.system.n_unpenalised
    determinants = np.log(relative).sum(axis=1) - rank * np.log(multipliers)
    return np.asarray((dof * np.log(np.maximum(deviance, floor)) + determinants[:, None]) / 2)
