"""Public holidays by local date: from a flag in the data, or from the calendar of the place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast_forecasting.features.clock import Dates

Flags = NDArray[np.bool_]

_DAY = np.timedelta64(1, "D")


@lru_cache(maxsize=1024)
def public_holidays(place: str, year: int) -> Dates:
    """Return the public holidays of a year.

    Parameters
    ----------
    place : str
        Country or country and subdivision in ISO 3166, such as ``AU-VIC``; empty for none.

    Raises
    ------
    DataError
        Where the place is unknown.

    Examples
    --------
    >>> public_holidays("AU-VIC", 2014)[-2:]
    array(['2014-12-25', '2014-12-26'], dtype='datetime64[D]')
    """
    if not place:
        return np.array([], dtype="datetime64[D]")
    import holidays

    country, _, subdivision = place.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except NotImplementedError as error:
        raise DataError(f"no holidays are known for {place!r}: {error}") from None
    return np.array(sorted(found), dtype="datetime64[D]")


def by_calendar(dates: Dates, place: str) -> Flags:
    """Return which dates are public holidays of a place."""
    years = np.unique(dates.astype("datetime64[Y]")).astype(int) + 1970
    known = [public_holidays(place, int(year)) for year in years]
    return np.isin(dates, np.concatenate(known)) if known else np.zeros(len(dates), bool)


def by_majority(day: NDArray[np.intp], flags: NDArray[np.float64]) -> Flags:
    """Return which days have a flag set in more than half of their intervals.

    A majority, because the flags of some data sets follow a clock without daylight saving.

    Parameters
    ----------
    day : ndarray, shape (n,)
        Number of the day of each interval, from 0.
    flags : ndarray, shape (n,)
    """
    share: NDArray[np.float64] = np.bincount(day, weights=flags) / np.bincount(day)
    return share > 0.5


def around(dates: Dates, holiday: Flags, place: str) -> tuple[Flags, Flags]:
    """Return which working dates come before and which after a holiday.

    Parameters
    ----------
    dates : ndarray, shape (n,)
        Consecutive.
    holiday : ndarray, shape (n,)
        The dates that are holidays themselves.
    place : str
        Its calendar tells about the days next to the first and the last date.

    Returns
    -------
    before, after : ndarray of bool, shape (n,)
    """
    outer = by_calendar(np.array([dates[0] - _DAY, dates[-1] + _DAY]), place)
    padded = np.concatenate([outer[:1], holiday, outer[1:]])
    return padded[2:] & ~holiday, padded[:-2] & ~holiday
