"""The factorised normal equations at one λ: what does not depend on the series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from loopcast.api import ModelError
from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.system import RIDGE, System


@dataclass(frozen=True, eq=False, kw_only=True)
class Factor:
    """Cholesky factor of ``gram + Σ λ_j S_j`` of a system.

    Attributes
    ----------
    system : System
    lam : ndarray, shape (m,)
    cholesky : ndarray, shape (q, q), float64
        Lower triangle; zeros above.
    """

    system: System
    lam: Floats
    cholesky: Floats

    def solve(self, right: Floats) -> Floats:
        """Return ``(gram + Σ λ_j S_j)⁻¹ right`` for right sides of shape (q, n) or (q,)."""
        return np.asarray(lapack.dpotrs(self.cholesky, right, lower=1)[0])

    @cached_property
    def penalty(self) -> Floats:
        """Diagonal of ``Σ λ_j S_j``, shape (q,)."""
        return self.system.penalty(self.lam)

    @cached_property
    def lower_inverse(self) -> Floats:
        """Lower triangle of the inverse, shape (q, q); zeros above."""
        return np.asarray(lapack.dpotri(self.cholesky, lower=1)[0])

    @cached_property
    def inverse_diagonal(self) -> Floats:
        """Diagonal of the inverse, shape (q,)."""
        return np.diagonal(self.lower_inverse).copy()

    @cached_property
    def log_penalty(self) -> float:
        """Logarithm of the product of the non-zero eigenvalues of the penalty."""
        return float(np.log(self.penalty[self.penalty > 0]).sum())

    @cached_property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of ``gram + Σ λ_j S_j``."""
        return float(2 * np.log(np.diagonal(self.cholesky)).sum())

    def leverages(self) -> Floats:
        """Effective degrees of freedom of each coordinate: diag of ``V XᵀWX``, shape (q,)."""
        return 1 - self.inverse_diagonal * (self.penalty + RIDGE)


def factorise(system: System, lam: Floats) -> Factor:
    """Factorise the normal equations at smoothing parameters.

    Raises
    ------
    ModelError
        If they are not positive definite, which a Gram matrix of finite data never leads to.
    """
    matrix = np.array(system.gram.T, order="F")  # symmetric, so this is a plain copy
    matrix.T.flat[:: len(matrix) + 1] += system.penalty(lam)
    cholesky, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
    if info:
        raise ModelError(
            f"the normal equations are not positive definite (leading minor {info} of "
            f"{len(matrix)}) at λ = {np.array2string(lam, precision=3)}; check the features' scale"
        )
    return Factor(system=system, lam=lam, cholesky=cholesky)
