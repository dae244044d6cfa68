"""Local time with daylight saving: the clock of a site.

What people do follows the wall clock, and what the sun does follows standard time, so both are
features: they differ by the hour of daylight saving time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

DAY = pd.Timedelta(days=1)
YEAR = pd.Timedelta(days=365.25)
TREND_DAMPING = 1.0  # years


@dataclass(frozen=True, eq=False, kw_only=True)
class Clock:
    """Local time of intervals, each array of shape (n,).

    Attributes
    ----------
    hour
        Wall clock time at which the interval starts, 0 to 24.
    standard_hour
        The same without daylight saving.
    daylight_saving
        1 where the clock is ahead of standard time, otherwise 0.
    date
        Local date, ``datetime64[D]``.
    day_of_year
        Share of the year that has passed, 0 to 1.
    """

    hour: Floats
    standard_hour: Floats
    daylight_saving: Floats
    date: Dates
    day_of_year: Floats


def local_clock(times: pd.DatetimeIndex, timezone: str, step: pd.Timedelta) -> Clock:
    """Read a site's clock.

    Parameters
    ----------
    times : DatetimeIndex, shape (n,)
        Interval starts, in any zone.
    timezone : str
        IANA name of the site's zone.
    step : Timedelta
        Length of an interval. A day is dated by its middle, since it may begin at a midnight
        of another zone.

    Examples
    --------
    >>> day = pd.date_range("2014-10-05", periods=4, freq="1h", tz="Australia/Melbourne")
    >>> local_clock(day, "Australia/Melbourne", pd.Timedelta("1h")).hour
    array([0., 1., 3., 4.])
    """
    moments = times + step / 2 if step >= DAY else times
    local = moments.tz_convert(timezone)
    wall = local.tz_localize(None)
    offset = np.asarray((wall - moments.tz_convert("UTC").tz_localize(None)).total_seconds())
    years = wall.year.to_numpy()
    ahead = (offset - _standard_offsets(years, timezone)) / 3600
    hour = np.asarray((wall - wall.normalize()).total_seconds()) / 3600
    length = np.where(wall.is_leap_year, 366, 365)
    return Clock(
        hour=hour,
        standard_hour=(hour - ahead) % 24,
        daylight_saving=(ahead > 0).astype(np.float64),
        date=wall.to_numpy().astype("datetime64[D]"),
        day_of_year=(wall.day_of_year.to_numpy() - 1 + hour / 24) / length,
    )


def _standard_offsets(years: NDArray[np.int32], timezone: str) -> Floats:
    """Return the seconds that standard time is ahead of UTC, for each year."""
    known, position = np.unique(years, return_inverse=True)
    offsets = [
        min(_offset(f"{year}-{day}", timezone) for day in ("01-01", "07-01")) for year in known
    ]
    return np.array(offsets)[position]


def _offset(date: str, timezone: str) -> float:
    offset = pd.Timestamp(date, tz=timezone).utcoffset()
    assert offset is not None
    return offset.total_seconds()


def damped_years(times: pd.DatetimeIndex, trained_until: pd.Timestamp) -> Floats:
    """Return years relative to the end of training, slowing down after it.

    A trend that was seen in training is not drawn out for ever: after the end of training,
    time is ``τ (1 - exp(-t / τ))`` with τ of one year (the damped trend of Gardner & McKenzie
    1985, Management Science 31, in continuous time).
    """
    years = np.asarray((times - trained_until) / YEAR, dtype=np.float64)
    ahead = np.maximum(years, 0.0)
    return np.where(years > 0, TREND_DAMPING * -np.expm1(-ahead / TREND_DAMPING), years)
