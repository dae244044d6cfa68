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
Counts = NDArray[np.intp]

RELATIVE_PENALTIES = np.logspace(-2, 2, 7)  # λ to choose from: times the mean of the s²
ROUNDING = 1e-24  # share of the sum of squares below which inputs never change
LEAST_ROWS = 14  # fewer say nothing
JUDGED_ROWS = 400  # the errors of so many rows, evenly spread, choose between the λ


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelRidge:
    """Fitted regressions.

    Attributes
    ----------
    coef : ndarray, shape (N, m, p), float64
    intercept : ndarray, shape (N, m), float64
    penalty : ndarray, shape (N,), float64
        λ; zero for a series without a regression: with too few rows, or inputs that never
        change. Its coefficients are zero, and with too few rows its intercept too.
    """

    coef: Floats
    intercept: Floats
    penalty: Floats

    def predict(self, z: Floats) -> Floats:
        """Return the outputs for one row of inputs per series, from shape (N, p) to (N, m)."""
        return np.asarray((self.coef @ z[:, :, None])[:, :, 0] + self.intercept)


def fit_ridge(Z: Floats, Y: Floats, rows: Rows) -> PanelRidge:
    """Fit a ridge regression to every series of a panel.

    Parameters
    ----------
    Z : ndarray, shape (N, p, n), float64
        Inputs of each series, finite; a row of the regression is a column here.
    Y : ndarray, shape (N, m, n), float64
        Outputs, finite.
    rows : ndarray of bool, shape (N, n)
        Which rows count.
    """
    count = rows.sum(axis=1)
    Z, mean_z = _centred(Z, rows, count)
    Y, mean_y = _centred(Y, rows, count)
    values, vectors = np.linalg.eigh(Z @ Z.mT)
    values = np.maximum(values, 0.0)
    size = count * np.vecdot(mean_z, mean_z)
    fitted = (count >= LEAST_ROWS) & (values[:, -1] > ROUNDING * size)
    grid = np.where(fitted, values.mean(axis=1), 1.0)[:, None] * RELATIVE_PENALTIES
    cross = (Y @ Z.mT) @ vectors
    judged = slice(None, None, Z.shape[2] // JUDGED_ROWS + 1)
    rotated = vectors.mT @ np.ascontiguousarray(Z[:, :, judged])
    best = _left_out(Y[:, :, judged], rotated, cross, values, grid=grid, count=count).argmin(axis=1)
    lam = np.where(fitted, grid[np.arange(len(grid)), best], np.inf)
    coef = (cross / (values + lam[:, None])[:, None, :]) @ vectors.mT
    intercept = mean_y - (coef @ mean_z[:, :, None])[:, :, 0]
    return PanelRidge(
        coef=coef,
        intercept=np.where((count >= LEAST_ROWS)[:, None], intercept, 0.0),
        penalty=np.where(fitted, lam, 0.0),
    )


def _centred(values: Floats, rows: Rows, count: Counts) -> tuple[Floats, Floats]:
    """Take the mean over the rows that count off all rows, and set the others to zero."""
    if rows.size and rows.all():
        mean = values.mean(axis=2)
        return values - mean[:, :, None], mean
    weight = rows[:, :, None] / np.maximum(count, 1)[:, None, None]
    mean = (values @ weight)[:, :, 0]
    centred = values - mean[:, :, None]
    centred *= rows[:, None, :]
    return centred, mean


def _left_out(
    Y: Floats, rotated: Floats, cross: Floats, values: Floats, *, grid: Floats, count: Counts
) -> Floats:
    """Return the sum of squares of leave-one-out errors for each series and λ, shape (N, g)."""
    shrinkage = 1 / (values[:, None, :] + grid[:, :, None])
    leverages = shrinkage @ rotated**2 + 1 / np.maximum(count, 2)[:, None, None]
    errors = np.empty(grid.shape)
    for k in range(grid.shape[1]):
        residuals = (cross * shrinkage[:, k, None, :]) @ rotated
        np.subtract(Y, residuals, out=residuals)
        np.multiply(residuals, residuals, out=residuals)
        errors[:, k] = (residuals.sum(axis=1) / (1 - leverages[:, k]) ** 2).sum(axis=1)
    return errors
