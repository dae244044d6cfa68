"""Prediction intervals from backtest errors, by lead time.

Errors of reconciled forecasts are divided by a scale that depends on series and slot (day and
wall clock within the horizon), pooled, and their quantiles are given back on that scale. With
the finite-sample correction of split conformal prediction the intervals hold their level as far
as errors of the past are like those to come.

Errors of one day resemble each other, so that they count as fewer than they are.

Sources: G. Shafer and V. Vovk (2008), A tutorial on conformal prediction, JMLR 9; J. Lei et al.
(2018), Distribution-free predictive inference for regression, JASA 113, section 5.2 (locally
weighted); L. Kish (1965), Survey Sampling, section 5.4 (design effect of clusters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from loopcast.develop.forecast.backtest import Predictions
from loopcast.develop.forecast.horizon import slot_count

LEVELS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Levels of the quantiles that every forecast has."""

SMOOTHING_HOURS = 5.0
"""Width of the window over which the scale is averaged along the wall clock."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervals:
    """Calibrated spread of errors at one step.

    Attributes
    ----------
    scale : ndarray, shape (slots, series)
        Root mean square error by slot, in the unit of the target.
    quantiles : ndarray, shape (levels, series)
        Quantiles of the scaled errors.
    """

    scale: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    def around(
        self, mean: NDArray[np.float64], slot: NDArray[np.int64], *, nonnegative: bool
    ) -> NDArray[np.float64]:
        """Return quantiles, shape (steps, series, levels), around means of shape (steps, series).

        They do not cross, since the quantiles of the scaled errors do not.
        """
        spread = self.scale[slot][:, :, None] * self.quantiles.T[None, :, :]
        result = mean[:, :, None] + spread
        return np.maximum(result, 0.0) if nonnegative else result


def calibrate(predictions: Predictions, horizon: str, origins: slice | None = None) -> Intervals:
    """Learn intervals at one step from the errors of some origins.

    Parameters
    ----------
    predictions
        Reconciled backtest forecasts.
    origins
        Which origins, by position; all by default.
    """
    chosen = np.arange(predictions.origin.max() + 1)[origins or slice(None)]
    rows = np.isin(predictions.origin, chosen)
    error = (predictions.actual - predictions.mean)[rows]
    slot = predictions.slot[rows]
    slots = slot_count(horizon, predictions.step)
    scale = _smooth(_mean_square(error, slot, slots), slots, horizon)
    scaled = error / scale[slot]
    count = effective_count(scaled, np.searchsorted(chosen, predictions.origin[rows]))
    return Intervals(scale=scale, quantiles=conformal_quantiles(scaled, LEVELS, count))


def _mean_square(
    error: NDArray[np.float64], slot: NDArray[np.int64], slots: int
) -> NDArray[np.float64]:
    """Mean square error by slot, shape (slots, series); the overall mean for an empty slot."""
    known = ~np.isnan(error)
    square = np.where(known, error, 0.0) ** 2
    rows = np.arange(len(slot))
    in_slot = sparse.csr_array((np.ones(len(slot)), (slot, rows)), shape=(slots, len(slot)))
    total, count = in_slot @ square, in_slot @ known.astype(np.float64)
    overall = square.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), overall))


def _smooth(mean_square: NDArray[np.float64], slots: int, horizon: str) -> NDArray[np.float64]:
    """Average along the horizon over a window of a few hours and take the root."""
    hours_per_slot = 24.0 * int(horizon.removesuffix("D")) / slots
    half = int(SMOOTHING_HOURS / hours_per_slot / 2)
    padded = np.pad(mean_square, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    # A series that was never wrong (a meter that is always zero) has no spread at all.
    floor = np.finfo(np.float64).tiny
    return np.asarray(np.sqrt(np.maximum(windows.mean(axis=-1), floor)))


def effective_count(scaled: NDArray[np.float64], origin: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many independent errors the errors of each series are worth, shape (series,).

    Means of n independent errors would have the variance σ²/n. Those of an origin have s², so an
    origin is worth σ²/s² errors (the design effect of clusters, Kish 1965, section 5.4): at least
    one, and at most as many as it has.

    Parameters
    ----------
    scaled : ndarray, shape (rows, series)
    origin : ndarray, shape (rows,)
        Number of each row's origin, from 0 on.

    Examples
    --------
    >>> day = np.repeat(np.arange(30), 48)
    >>> rng = np.random.default_rng(0)
    >>> alike, own = rng.normal(size=(30, 1))[day], rng.normal(size=(1440, 1))
    >>> effective_count(np.hstack([alike, own]), day).round(-3)
    array([   0., 1000.])
    """
    known = ~np.isnan(scaled)
    origins = int(origin.max()) + 1
    of_origin = sparse.csr_array(
        (np.ones(len(origin)), (origin, np.arange(len(origin)))), shape=(origins, len(origin))
    )
    filled = np.where(known, scaled, 0.0)
    count = of_origin @ known.astype(np.float64)
    seen = np.maximum((count > 0).sum(axis=0), 1)
    total = np.maximum(known.sum(axis=0), 1)
    overall = filled.sum(axis=0) / total
    variance = (filled**2).sum(axis=0) / total - overall**2
    means = (of_origin @ filled) / np.maximum(count, 1)
    between = np.where(count > 0, (means - overall) ** 2, 0.0).sum(axis=0) / np.maximum(seen - 1, 1)
    worth = variance / np.maximum(between, np.finfo(np.float64).tiny)
    return np.asarray(np.clip(seen * worth, seen, total))


def conformal_quantiles(
    scaled: NDArray[np.float64], levels: tuple[float, ...], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles with the finite-sample correction, shape (levels, series).

    Of n exchangeable errors, the one of rank (n + 1) p is exceeded by a new one with probability
    1 − p (R. J. Hyndman and Y. Fan (1996), Sample quantiles in statistical packages, The American
    Statistician 50, definition 6), so that tails are not too thin on few errors.

    Parameters
    ----------
    scaled : ndarray, shape (rows, series)
        Unknown errors are NaN; the quantiles of a series that has no other are zero.
    count : ndarray, shape (series,)
        How many exchangeable errors the rows are worth, n.
    """
    rank = np.array(levels)[:, None] * (count + 1)
    share = np.clip((rank - 1) / np.maximum(count - 1, 1), 0.0, 1.0)
    known = (~np.isnan(scaled)).sum(axis=0)
    ordered = np.sort(scaled, axis=0)  # NaN last
    position = share * np.maximum(known - 1, 0)
    below = position.astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(ordered, where, axis=0) for where in (below, above))
    result = low + (position - below) * (high - low)
    return np.asarray(np.where(known > 0, result, 0.0))


def honest_quantiles(
    predictions: Predictions, horizon: str, first: int, *, nonnegative: bool
) -> NDArray[np.float64]:
    """Return quantiles for each scored origin, each from the origins before it only.

    Parameters
    ----------
    predictions
        Reconciled backtest forecasts at one step.
    first
        Position of the first scored origin.

    Returns
    -------
    ndarray, shape (rows, series, levels)
        NaN for origins before ``first``.
    """
    result = np.full((*predictions.mean.shape, len(LEVELS)), np.nan)
    for origin in range(first, int(predictions.origin.max()) + 1):
        rows = predictions.origin == origin
        intervals = calibrate(predictions, horizon, slice(0, origin))
        result[rows] = intervals.around(
            predictions.mean[rows], predictions.slot[rows], nonnegative=nonnegative
        )
    return result
