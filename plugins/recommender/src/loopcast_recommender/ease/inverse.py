"""The inverse of a Gram matrix with a ridge, in the precision that its condition needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import linalg

from loopcast.api import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FloatT = TypeVar("FloatT", np.float32, np.float64)

_CONDITION = 200.0
"""Largest condition of what is inverted in single precision."""

_BLOCK = 64
"""Rows up to which LAPACK inverts as fast as products of blocks."""

_IDENTITY = np.eye(_BLOCK, dtype=np.float32)


def inverted(gram: NDArray[np.float32], ridge: float) -> NDArray[np.floating]:
    """Return the inverse of a Gram matrix with a ridge on its diagonal.

    It is computed in single precision, in half the time, where that keeps four digits: where no
    row sum, and so no eigenvalue, is more than two hundred times the ridge.

    Parameters
    ----------
    gram : ndarray, shape (n, n), float32
        None of its entries is negative.

    Returns
    -------
    ndarray, shape (n, n), float32 or float64

    Raises
    ------
    ConvergenceError
        Where the ridge is too small beside the entries for it to be positive definite.
    """
    single = gram.sum(axis=0).max() <= _CONDITION * ridge
    try:
        if single:
            return _by_quarters(_ridged(gram.astype(np.float32, order="C"), ridge))
        return _packed(_ridged(gram.astype(np.float64, order="C"), ridge))
    except linalg.LinAlgError:
        about = f"ridge {ridge:g} is too small for {len(gram)} rows"
        raise ConvergenceError(f"{about}; raise ridges") from None


def _ridged(matrix: NDArray[FloatT], ridge: float) -> NDArray[FloatT]:
    """Add a ridge to a matrix, where it is."""
    diagonal(matrix)[:] += ridge
    return matrix


def _by_quarters(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace a matrix by its inverse, by the one of a quarter at a time.

    With the quarters A, B below it and C, with V = −B A⁻¹ and the complement S = C + V Bᵀ, the
    inverse has A⁻¹ + Vᵀ S⁻¹ V, S⁻¹ V and S⁻¹ in their places. Source: R. A. Horn and C. R. Johnson
    (2013), Matrix Analysis, section 0.7.3. Nearly all are products of matrices, the fastest that
    there is; but errors grow with the square of the condition.
    """
    if len(matrix) <= _BLOCK:
        matrix[:] = _small(matrix)
        return matrix
    half = len(matrix) // 2
    first, beside = matrix[:half, :half], matrix[:half, half:]
    below, last = matrix[half:, :half], matrix[half:, half:]
    carried = -below @ _by_quarters(first)
    last += carried @ beside
    np.matmul(_by_quarters(last), carried, out=below)
    beside[:] = below.T
    first += beside @ carried
    return matrix


def _small(matrix: NDArray[np.float32]) -> NDArray[Any]:
    """Return L⁻ᵀ L⁻¹ of a matrix L Lᵀ."""
    # Symmetric, so that its transpose is the same in the order of LAPACK.
    factor, failed = linalg.lapack.spotrf(matrix.T, lower=1)
    if failed:
        raise linalg.LinAlgError
    # Solved from the right, which takes less than to invert it.
    factor = linalg.blas.strsm(1.0, factor, _IDENTITY[: len(matrix), : len(matrix)], 1, 1)
    return np.asarray(factor.T @ factor)


def _packed(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace a matrix by its inverse, a triangle of it packed as a rectangle.

    So LAPACK multiplies blocks where it would else go column by column, in half the memory. Source:
    F. G. Gustavson et al. (2010), Rectangular full packed format for Cholesky's algorithm, ACM TOMS
    37.
    """
    rows = len(matrix)
    packed, _ = linalg.lapack.dtrttf(matrix.T, uplo="L")
    factor, failed = linalg.lapack.dpftrf(rows, packed, uplo="L", overwrite_a=1)
    if failed:
        raise linalg.LinAlgError
    packed, _ = linalg.lapack.dpftri(rows, factor, uplo="L", overwrite_a=1)
    lower, _ = linalg.lapack.dtfttr(rows, packed, uplo="L")
    # What is above the diagonal is zero, and the matrix is no longer needed.
    np.add(lower, lower.T, out=matrix)
    diagonal(matrix)[:] /= 2.0
    return matrix


def diagonal(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return a view of the diagonal of a square matrix, whose rows follow each other in memory."""
    return matrix.reshape(-1)[:: len(matrix) + 1]
