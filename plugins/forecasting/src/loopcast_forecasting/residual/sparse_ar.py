"""Autoregression on a few lags for a panel, by least squares.

With ``r`` the residuals of a series and given lags ``s_k``,

    r_t = Σ_k φ_k r_{t - s_k} + u_t,

the φ are least squares estimates, conditional on the first max(s_k) values (Box, Jenkins, Reinsel
& Ljung 2015, section 7.3; Brockwell & Davis 1991, section 8.10). The normal equations are made of
sums ``Σ_t r_{t-i} r_{t-j}``, which depend on ``i - j`` but for a few terms at both ends: each sum
is taken once along the series for every difference of lags, and the ends are cut off exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ModelError

Floats = NDArray[np.float64]

LEAST_ROWS = 24  # per coefficient
BYTES_AT_ONCE = 2**20  # series that are walked through together stay near the processor


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseAr:
    """A fitted panel.

    Attributes
    ----------
    lags
        In steps, rising.
    phi : ndarray, shape (N, len(lags))
        Zero for a series with too few values.
    """

    lags: tuple[int, ...]
    phi: Floats

    def forecast(self, residuals: Floats, steps: int) -> Floats:
        """Forecast the steps after the last residual, each from those before it.

        Parameters
        ----------
        residuals : ndarray, shape (n, N)
            NaN where one is missing. It counts as zero.
        steps : int

        Returns
        -------
        ndarray, shape (steps, N), float64
        """
        longest = max(self.lags)
        values = np.zeros((longest + steps, residuals.shape[1]))
        recent = residuals[-longest:]
        values[longest - len(recent) : longest] = np.nan_to_num(recent)
        for t in range(longest, longest + steps):
            lagged = values[[t - lag for lag in self.lags]]
            values[t] = np.einsum("kn,nk->n", lagged, self.phi)
        return values[longest:]


def fit_sparse_ar(residuals: Floats, lags: Sequence[int]) -> SparseAr:
    """Estimate the coefficients of every series.

    Parameters
    ----------
    residuals : ndarray, shape (n, N)
        NaN where one is missing: rows that need it are left out, at some ten times the cost.
        Fortran order is fastest.
    lags : sequence of int
        Positive, in steps.

    Raises
    ------
    ModelError
        Where there is no lag, or one is not positive.

    Examples
    --------
    >>> wave = np.sin(np.arange(200.0))[:, None]
    >>> fit_sparse_ar(wave, [1, 2]).phi.round(6)  # 2 cos 1 and -1
    array([[ 1.080605, -1.      ]])
    """
    ordered = tuple(sorted(set(lags)))
    if not ordered or ordered[0] < 1:
        raise ModelError(f"lags {list(lags)}: expected at least one, all positive")
    n, n_series = residuals.shape
    if n - ordered[-1] < LEAST_ROWS * len(ordered):
        return SparseAr(lags=ordered, phi=np.zeros((n_series, len(ordered))))
    whole = _sums(residuals, [i - j for i, j in _pairs(ordered)])
    moments = _cut(whole, residuals, ordered)
    for k in np.flatnonzero(~np.isfinite(whole[:, 0])):
        moments[k] = _moments_with_gaps(residuals[:, k], ordered)
    return SparseAr(lags=ordered, phi=_solve(moments))


def _pairs(lags: tuple[int, ...]) -> list[tuple[int, int]]:
    every = (0, *lags)
    return [(older, newer) for i, older in enumerate(every) for newer in every[: i + 1]]


def _sums(residuals: Floats, differences: Sequence[int]) -> Floats:
    """Return ``Σ_u r_u r_{u+d}`` along each series, shape (N, number of differences)."""
    n, n_series = residuals.shape
    unique, place = np.unique(differences, return_inverse=True)
    sums = np.empty((n_series, len(unique)))
    at_once = max(1, BYTES_AT_ONCE // (8 * n))
    for start in range(0, n_series, at_once):
        part = slice(start, start + at_once)
        rows = np.ascontiguousarray(residuals[:, part].T, dtype=np.float64)
        for k, d in enumerate(unique):
            np.vecdot(rows[:, : n - d], rows[:, d:], out=sums[part, k])
    return sums[:, place]


def _cut(whole: Floats, residuals: Floats, lags: tuple[int, ...]) -> Floats:
    """Return ``Σ_t r_{t-i} r_{t-j}`` for i, j in (0, *lags) and t from the longest lag on.

    Parameters
    ----------
    whole : ndarray, shape (N, pairs)
        Sums over the whole series.

    Returns
    -------
    ndarray, shape (N, 1 + len(lags), 1 + len(lags))
    """
    longest, every = lags[-1], (0, *lags)
    first, last = (
        np.ascontiguousarray(part.T, dtype=np.float64)
        for part in (residuals[:longest], residuals[-longest:])
    )
    moments = np.empty((len(whole), len(every), len(every)))
    for k, (older, newer) in enumerate(_pairs(lags)):
        # Of the products r_u r_{u + older - newer}, those with u < longest - older come too
        # early, and those with u >= n - older too late.
        apart = older - newer
        early = np.vecdot(first[:, : longest - older], first[:, apart : longest - newer])
        late = np.vecdot(last[:, longest - older : longest - apart], last[:, longest - newer :])
        i, j = every.index(older), every.index(newer)
        moments[:, i, j] = moments[:, j, i] = whole[:, k] - early - late
    return moments


def _moments_with_gaps(row: Floats, lags: tuple[int, ...]) -> Floats:
    """Return the moments of one series over the rows that miss nothing."""
    lagged = np.stack([row[lags[-1] - lag : len(row) - lag] for lag in (0, *lags)])
    complete = lagged[:, np.isfinite(lagged).all(axis=0)]
    if complete.shape[1] < LEAST_ROWS * len(lags):
        return np.zeros((len(lagged), len(lagged)))
    return np.asarray(complete @ complete.T)


def _solve(moments: Floats) -> Floats:
    """Solve the normal equations; those that are singular have no coefficients.

    They are scaled to a unit diagonal, so that what is singular does not depend on the unit.
    """
    gram, right = moments[:, 1:, 1:], moments[:, 1:, 0]
    square = np.diagonal(gram, axis1=1, axis2=2)
    scale = np.sqrt(np.where(np.isfinite(square) & (square > 0), square, 1.0))
    unit = gram / (scale[:, :, None] * scale[:, None, :])
    finite = np.isfinite(unit).all(axis=(1, 2))
    unit[~finite] = 0.0
    regular = np.linalg.eigvalsh(unit)[:, 0] > np.finfo(np.float64).eps * unit.shape[1]
    phi = np.zeros(right.shape)
    phi[regular] = np.linalg.solve(unit[regular], (right / scale)[regular, :, None])[..., 0]
    return phi / scale
