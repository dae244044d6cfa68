"""Reconciliation with a diagonal plus low-rank covariance.

With ``W = D + F F'`` the base forecasts are ``y = x + F z + e``: coherent values, r standard normal
factors, and independent errors of variance D. Minimising over z too,

    ``|e|**2 / D + |z|**2``,

has the same x as the problem in W. For a given z it is a diagonal problem, ``x = P (y - F z)`` with
P the projection of `projection`, and z solves the small system

    ``(I + F' D**-1 (F - P F)) z = F' D**-1 (y - P y)``,

Woodbury's identity with the projection done first (Henderson 1950 for the mixed model). Its
matrix is symmetric, since P is orthogonal in the metric ``D**-1``, and at least the identity.

A *fixed* node has a given value whatever its forecast, as a bottom series on its bound does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from loopcast_forecasting.reconcile._types import BoolArray, FloatArray
from loopcast_forecasting.reconcile.covariance import Covariance
from loopcast_forecasting.reconcile.projection import DiagonalSolver, Projection

BLOCK = 32  # samples projected at once


class Solution(NamedTuple):
    """Reconciled values x, multipliers mu, and the forecasts less common factors, ``y - F z``."""

    values: FloatArray
    pull: FloatArray
    target: FloatArray


@dataclass(frozen=True, eq=False)
class Factored:
    """A covariance and a projection that together solve the problem with fixed nodes.

    Attributes
    ----------
    projection : Projection
        Of the diagonal part, with fixed nodes at variance 0.
    precision : float array, shape (n_nodes,)
        ``1 / D``, but 0 for nodes without an error (pinned) or without a forecast.
    fixed : bool array, shape (n_nodes,), optional
    samples : float array, shape (n_samples, n_nodes), optional
        ``F = samples.T``, scaled by the square root of `loading`.
    cholesky : float array, shape (n_samples, n_samples), optional
        Lower factor of the small system.
    """

    projection: Projection
    precision: FloatArray
    fixed: BoolArray | None = None
    samples: FloatArray | None = None
    loading: float = 0.0
    cholesky: FloatArray | None = None

    def apply(self, base: FloatArray) -> FloatArray:
        """Return the coherent forecasts nearest to base, shape (n_nodes, k)."""
        return self.projection.apply(self._held(self._target(base, base), base))

    def solve(self, base: FloatArray, held: FloatArray) -> Solution:
        """Return the solution in which fixed nodes have their values in held."""
        target = self._target(base, held)
        return Solution(*self.projection.solve(self._held(target, held)), target)

    def _held(self, target: FloatArray, held: FloatArray) -> FloatArray:
        return target if self.fixed is None else np.where(self.fixed[:, None], held, target)

    def _target(self, base: FloatArray, held: FloatArray) -> FloatArray:
        if self.samples is None or self.cholesky is None:
            return base
        gap = base - self.projection.apply(self._held(base, held))
        gap *= self.precision[:, None]
        factors = cho_solve((self.cholesky, True), self.samples @ gap)
        common = self.samples.T @ (self.loading * factors)
        common *= (self.precision > 0)[:, None]
        return np.subtract(base, common, out=common)


def factored(
    solver: DiagonalSolver, covariance: Covariance, fixed: BoolArray | None = None
) -> Factored:
    """Factor a covariance, with some nodes fixed.

    Raises
    ------
    DataError
        As the solver's `factor`.
    """
    variance = covariance.variance
    precision = _precision(variance)
    projection = solver.factor(variance if fixed is None else np.where(fixed, 0.0, variance))
    if covariance.samples is None or covariance.loading == 0.0:
        return Factored(projection, precision, fixed)
    gram = _system(projection, precision, fixed, covariance.samples, covariance.loading)
    lower = cho_factor(gram, lower=True, overwrite_a=True)[0]
    return Factored(projection, precision, fixed, covariance.samples, covariance.loading, lower)


def _precision(variance: FloatArray) -> FloatArray:
    usual = (variance > 0) & np.isfinite(variance)
    return np.divide(1.0, variance, out=np.zeros_like(variance), where=usual)


def _system(
    projection: Projection,
    precision: FloatArray,
    fixed: BoolArray | None,
    samples: FloatArray,
    loading: float,
) -> FloatArray:
    count = samples.shape[0]
    gram = np.empty((count, count))
    moving = precision > 0 if fixed is None else (precision > 0) & ~fixed
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        block = np.ascontiguousarray(samples[part].T)
        common = block * moving[:, None]
        block -= projection.apply(common)
        block *= (loading * precision)[:, None]
        gram[:, part] = samples @ block
    gram = 0.5 * (gram + gram.T)
    gram[np.diag_indices(count)] += 1.0
    return gram
