"""Autoregressions with few lags, for a panel: the normal equations of all series together.

With ``r`` the residuals of a series and lags ``s_k``,

    r_t = Σ_k φ_k r_{t - s_k} + e_t,

with φ by least squares over the rows that have every lag (the covariance method; Makhoul 1975,
Proceedings of the IEEE 63, section II.B). Its sums of products depend on the difference of two
lags but for their ends, so that ``p`` lags take one pass over the data for each difference instead
of ``(p + 1)(p + 2) / 2``. A horizon is forecast step by step, each step for all series at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_ROWS = 24  # per lag
SERIES_AT_ONCE = 8  # as many as stay near the processor
ROUNDING = 1e-12  # share of the largest eigenvalue below which lags are multiples of each other
FADING = 4  # times the longest lag, after which a shock must be smaller than it was


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelAr:
    """Fitted autoregressions.

    Attributes
    ----------
    lags
        In steps, rising.
    phi : ndarray, shape (p, N), float64
        Zero for a series with too few residuals, or whose shocks would grow instead of fade.
    """

    lags: tuple[int, ...]
    phi: Floats

    def forecast(self, residuals: Floats, steps: int) -> Floats:
        """Forecast the steps after the last residual.

        Parameters
        ----------
        residuals : ndarray, shape (n, N)
            NaN where one is missing; it counts as its own forecast from those before it, and
            those before the first as zero.
        steps : int

        Returns
        -------
        ndarray, shape (steps, N), float64
        """
        ahead = np.full((steps, residuals.shape[1]), np.nan)
        return self.filled(np.vstack([residuals, ahead]))[-steps:]

    def filled(self, residuals: Floats) -> Floats:
        """Return residuals after zeros of the longest lag, with forecasts where one is missing.

        Returns
        -------
        ndarray, shape (longest lag + n, N), float64
        """
        values = np.vstack([np.zeros((self.lags[-1], residuals.shape[1])), residuals])
        _fill(values, self.lags, self.phi)
        return values


def fit_ar(residuals: Floats, lags: Sequence[int]) -> PanelAr:
    """Fit an autoregression to every series of a panel.

    Parameters
    ----------
    residuals : ndarray, shape (n, N), float64
        Fortran order is fastest. NaN where one is missing; a series with a gap costs some
        twenty times as much as one without.
    lags : sequence of int
        Distinct, positive.
    """
    ordered = tuple(sorted(lags))
    parts = [
        _fit_part(np.ascontiguousarray(residuals[:, start : start + SERIES_AT_ONCE].T), ordered)
        for start in range(0, residuals.shape[1], SERIES_AT_ONCE)
    ]
    phi = np.vstack(parts).T
    return PanelAr(lags=ordered, phi=np.where(_fades(ordered, phi), phi, 0.0))


def _fit_part(values: Floats, lags: tuple[int, ...]) -> Floats:
    """Return the φ of some series, from shape (k, n) to (k, p)."""
    rows = np.full(len(values), max(values.shape[1] - lags[-1], 0))
    if not rows.any():
        return np.zeros((len(values), len(lags)))
    products = _products(values, lags)
    for k in np.flatnonzero(~np.isfinite(products).all(axis=(1, 2))):
        products[k], rows[k] = _products_with_gaps(values[k], lags)
    phi = _solve(products)
    return np.where((rows >= LEAST_ROWS * len(lags))[:, None], phi, 0.0)


def _products(values: Floats, lags: tuple[int, ...]) -> Floats:
    """Return ``Σ_t r_{t-a} r_{t-b}`` for a, b of 0 and the lags, shape (k, p + 1, p + 1)."""
    columns, start, end = (0, *lags), lags[-1], values.shape[1]
    products = np.empty((len(values), len(columns), len(columns)))
    known: dict[int, tuple[int, Floats]] = {}  # by difference of lags: the smaller lag, the sum
    for i, a in enumerate(columns):
        for j, b in enumerate(columns[i:], start=i):
            if b - a in known:
                first, total = known[b - a]
                entering = _sum(values, a, b, start, start + a - first)
                total = total + entering - _sum(values, a, b, end, end + a - first)
            else:
                total = _sum(values, a, b, start, end)
                known[b - a] = a, total
            products[:, i, j] = products[:, j, i] = total
    return products


def _sum(values: Floats, a: int, b: int, start: int, end: int) -> Floats:
    """Return ``Σ_t r_{t-a} r_{t-b}`` over some rows, shape (k,)."""
    return np.asarray(
        np.vecdot(values[:, start - a : end - a], values[:, start - b : end - b]), np.float64
    )


def _products_with_gaps(values: Floats, lags: tuple[int, ...]) -> tuple[Floats, int]:
    """Return the sums over the rows of a series that have every lag, and how many these are."""
    n, start = len(values), lags[-1]
    lagged = np.stack([values[start - lag : n - lag] for lag in (0, *lags)])
    lagged = lagged[:, np.isfinite(lagged).all(axis=0)]
    return lagged @ lagged.T, lagged.shape[1]


def _solve(products: Floats) -> Floats:
    """Solve the normal equations; of lags that are multiples of each other, the shortest φ."""
    gram, right = products[:, 1:, 1:], products[:, 1:, 0]
    size = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
    scale = np.where(size > 0, 1 / np.where(size > 0, size, 1.0), 0.0)
    inverse = np.linalg.pinv(
        scale[:, :, None] * gram * scale[:, None, :], rcond=ROUNDING, hermitian=True
    )
    return np.asarray(scale * (inverse @ (scale * right)[:, :, None])[:, :, 0])


def _fades(lags: tuple[int, ...], phi: Floats) -> NDArray[np.bool_]:
    """Tell for which series a shock is smaller some longest lags later, shape (N,)."""
    fades = np.asarray(np.abs(phi).sum(axis=0) < 1)  # enough, and seen at once
    fades[~fades] = _smaller_later(lags, phi[:, ~fades])
    return fades


def _smaller_later(lags: tuple[int, ...], phi: Floats) -> NDArray[np.bool_]:
    longest = lags[-1]
    response = np.full(((FADING + 1) * longest, phi.shape[1]), np.nan)
    response[:longest] = 0.0
    response[longest - 1] = 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        _fill(response, lags, phi)
        return np.asarray(np.abs(response[-longest:]).max(axis=0, initial=0.0) < 1)


def _fill(values: Floats, lags: tuple[int, ...], phi: Floats) -> None:
    """Put forecasts where values are missing, row by row, in place."""
    steps = np.array(lags)
    for row in np.flatnonzero(np.isnan(values).any(axis=1)):
        forecast = np.einsum("ij,ij->j", phi, values[row - steps])
        values[row] = np.where(np.isnan(values[row]), forecast, values[row])
