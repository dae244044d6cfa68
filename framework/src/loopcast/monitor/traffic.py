"""Volume and latency of many segments: which days were unusual, by the days before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm, poisson

from loopcast.monitor.bins import Floats

if TYPE_CHECKING:
    import pandas as pd

VOLUME_CHANCE, LATENCY_CHANCE = 2e-4, 5e-5
"""From where down a day is unusual: the rates of false alarms of its volume and its latency."""

FEWEST_DAYS = 7
LONGEST = 60
"""So many days before it are what a day is compared with, at least and at most."""

NARROWEST = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class Traffic:
    """Volume and latency of segments.

    Attributes
    ----------
    days
        Each day in UTC, the last one complete.
    counts : ndarray, shape (segments, days), int64
    latency : ndarray, shape (segments, days)
        95 % of a day's answers took no longer, in milliseconds; NaN where there are none.
    p_volume, p_latency : ndarray, shape (segments,)
        Of the last day, adjusted over the segments.
    """

    days: pd.DatetimeIndex
    counts: NDArray[np.int64]
    latency: Floats
    p_volume: Floats
    p_latency: Floats

    @property
    def usual(self) -> Floats:
        """Median of the days before the last one, since the first with events."""
        return _median(_since_first(self.counts)[:, :-1])


def traffic(days: pd.DatetimeIndex, counts: NDArray[np.int64], latency: Floats) -> Traffic:
    """Judge the last day of each segment."""
    last = [_last(chances(values)) for chances, values in
            ((volume_chances, counts), (latency_chances, latency))]  # fmt: skip
    return Traffic(days=days, counts=counts, latency=latency, p_volume=last[0], p_latency=last[1])


def _last(chances: Floats) -> Floats:
    if not chances.size:
        return np.ones(len(chances))
    return np.asarray(false_discovery_control(chances[:, -1]))


def volume_chances(counts: Any) -> Floats:
    """Return how likely as unusual a count is on each day, shape (…, days).

    The count of a day is compared with the median of those before it that were not unusual, as a
    Poisson number whose variance is what these days show. A day is judged from the eighth on,
    and 1 where it is not.
    """

    def chance(day: Floats, before: Floats) -> Floats:
        usual = np.nan_to_num(_median(before))
        spread = np.maximum(_variance(before) / np.maximum(usual, 1.0), 1.0)
        mean = np.maximum(usual, 1e-9) / spread
        low = poisson.cdf(np.floor(day / spread), mean)
        high = poisson.sf(np.ceil(day / spread) - 1.0, mean)
        return np.asarray(np.minimum(2.0 * np.minimum(low, high), 1.0))

    return _chances(_since_first(np.asarray(counts)), chance, VOLUME_CHANCE)


def latency_chances(values: Any) -> Floats:
    """Return how likely as high a latency is on each day, shape (…, days), as a lognormal one."""

    def chance(day: Floats, before: Floats) -> Floats:
        middle = _median(before)
        deviation = _median(np.abs(before - middle[..., None]))
        spread = np.maximum(1.4826 * deviation, NARROWEST)
        return np.asarray(norm.sf((day - middle) / spread))

    with np.errstate(invalid="ignore"):
        logs = np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-3))
    return _chances(logs, chance, LATENCY_CHANCE)


def _chances(values: Floats, chance: Any, limit: float) -> Floats:
    """Judge each day by the usual ones among those before it."""
    found, usual = np.ones(values.shape), values.copy()
    for day in range(FEWEST_DAYS, values.shape[-1]):
        before = usual[..., max(day - LONGEST, 0) : day]
        enough = np.isfinite(before).sum(axis=-1) >= FEWEST_DAYS
        judged = enough & np.isfinite(values[..., day])
        if judged.any():
            of_day = np.where(judged, values[..., day], 0.0)
            found[..., day] = np.where(judged, chance(of_day, before), 1.0)
        usual[..., day] = np.where(found[..., day] <= limit, np.nan, usual[..., day])
    return found


def _since_first(counts: NDArray[Any]) -> Floats:
    """Return counts with NaN before the first day that has any."""
    begun = np.cumsum(counts, axis=-1) > 0
    return np.where(begun, counts, np.nan)


def _median(values: Floats) -> Floats:
    """Return the median of what is known along the last axis: faster than NumPy's for NaN."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    ends = [np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2]
    low, high = (np.take_along_axis(ordered, end[..., None], axis=-1)[..., 0] for end in ends)
    return np.asarray((low + high) / 2.0)


def _variance(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=-1), 1)
    mean = np.where(known, values, 0.0).sum(axis=-1) / count
    centred = np.where(known, values - mean[..., None], 0.0)
    return np.asarray((centred**2).sum(axis=-1) / count)
