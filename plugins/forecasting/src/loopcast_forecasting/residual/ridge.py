"""Ridge regressions of a panel, each with its own penalty by leave-one-out.

For a series with inputs Z (n rows, p columns), outputs Y and row weights of 0 or 1,

    minimise Σ_i w_i ‖y_i - c - Wᵀ z_i‖² + λ ‖W‖²

(Hoerl & Kennard 1970, Technometrics 12, for all outputs together). With Z centred and
``ZᵀZ = V diag(s²) Vᵀ``, the error of a row that was left out of the fit has a closed form,

    e_i = (y_i - ŷ_i) / (1 - h_i),    h_i = 1 / n + Σ_j (z_i·v_j)² / (s_j² + λ)

(Allen 1974, Technometrics 16; Golub, Heath & Wahba 1979, Technometrics 21), so that one eigenvalue
decomposition gives the sum of squares of these errors for any λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

RELATIVE_PENALTIES = np.logspace(-2.5, 2, 10)  # times the mean of the s²
LEAST_ROWS = 14  # fewer rows say nothing


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelRidge:
    """Fitted regressions.

    Attributes
    ----------
    coef : ndarray, shape (N, p, m), float64
    intercept : ndarray, shape (N, m), float64
    penalty : ndarray, shape (N,), float64
        λ; infinite for a series with too few rows or without variation, which has a
        coefficient of zero, and with too few rows an intercept of zero.
    """

    coef: Floats
    intercept: Floats
    penalty: Floats

    def predict(self, Z: Floats) -> Floats:
        """Return the outputs for one row of inputs per series, shapes (N, p) and (N, m)."""
        return np.asarray(np.einsum("np,npm->nm", Z, self.coef) + self.intercept)


def fit_ridge(
    Z: Floats, Y: Floats, rows: Rows, relative_penalties: Floats = RELATIVE_PENALTIES
) -> PanelRidge:
    """Fit a ridge regression to every series of a panel.

    Parameters
    ----------
    Z : ndarray, shape (N, n, p), float64
        Finite.
    Y : ndarray, shape (N, n, m), float64
        Finite.
    rows : ndarray of bool, shape (N, n)
        Which rows count.
    relative_penalties : ndarray, shape (g,)
        The λ to choose from, in multiples of the mean eigenvalue of ``ZᵀZ``.
    """
    count = rows.sum(axis=1)
    Z, mean_z = _centred(Z, rows, count)
    Y, mean_y = _centred(Y, rows, count)
    values, vectors = np.linalg.eigh(Z.mT @ Z)
    values = np.maximum(values, 0.0)
    enough = (count >= LEAST_ROWS) & (values[:, -1] > 0)
    lam = np.where(enough, values.mean(axis=1), 1.0)[:, None] * relative_penalties
    rotated = Z @ vectors
    cross = rotated.mT @ Y
    errors = _left_out(Y, rotated, cross, values, lam, count)
    best = errors.argmin(axis=1)
    penalty = lam[np.arange(len(lam)), best]
    shrunk = cross / (values + penalty[:, None])[:, :, None]
    coef = np.where(enough[:, None, None], vectors @ shrunk, 0.0)
    intercept = np.where(
        (count >= LEAST_ROWS)[:, None], mean_y - np.einsum("np,npm->nm", mean_z, coef), 0.0
    )
    return PanelRidge(coef=coef, intercept=intercept, penalty=np.where(enough, penalty, np.inf))


def _centred(values: Floats, rows: Rows, count: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Take the mean of the rows that count off them, set the others to zero."""
    kept = values * rows[:, :, None]
    mean = kept.sum(axis=1) / np.maximum(count, 1)[:, None]
    kept -= mean[:, None, :]
    kept *= rows[:, :, None]
    return kept, mean


def _left_out(
    Y: Floats,
    rotated: Floats,
    cross: Floats,
    values: Floats,
    lam: Floats,
    count: NDArray[np.intp],
) -> Floats:
    """Return the sum of squares of leave-one-out errors for each series and λ, shape (N, g)."""
    errors = np.empty(lam.shape)
    shrinkage = 1 / (values[:, None, :] + lam[:, :, None])
    leverages = 1 / np.maximum(count, 2)[:, None, None] + rotated**2 @ shrinkage.mT
    for k in range(lam.shape[1]):
        residuals = Y - rotated @ (shrinkage[:, k, :, None] * cross)
        squares = np.vecdot(residuals, residuals)
        errors[:, k] = (squares / (1 - leverages[:, :, k]) ** 2).sum(axis=1)
    return errors
