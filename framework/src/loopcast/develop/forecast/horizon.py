"""Origins and horizons on a local time axis with daylight saving."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DataError, ForecastData, step_minutes
from loopcast.develop.forecast.panel import add_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


@lru_cache(maxsize=1024)
def horizon_end(origin: pd.Timestamp, horizon: str) -> pd.Timestamp:
    """Return the first time stamp after a horizon of whole local days."""
    return origin + pd.DateOffset(days=step_minutes(horizon) // 1440)


@lru_cache(maxsize=1024)
def horizon_index(origin: pd.Timestamp, horizon: str, step: str) -> pd.DatetimeIndex:
    """Return the interval starts of a horizon, in local time.

    Examples
    --------
    The day on which clocks go forward has 46 half-hours:

    >>> origin = pd.Timestamp("2014-10-05", tz="Australia/Melbourne")
    >>> len(horizon_index(origin, "1D", "30min"))
    46
    """
    end = horizon_end(origin, horizon)
    return pd.date_range(origin, end, freq=step, inclusive="left")


def slots(times: pd.DatetimeIndex, origin: pd.Timestamp, step: str) -> NDArray[np.int64]:
    """Number steps of a horizon by day and wall clock.

    Errors of different origins are comparable by slot: the step at 18:00 has the same slot on
    every day. Where a clock goes back, the repeated steps share theirs; where it goes forward,
    some have none.

    Returns
    -------
    ndarray, shape (steps,), int64
        Between 0 and :func:`slot_count`.
    """
    minutes = step_minutes(step)
    local_days = times.normalize().tz_localize(None) - origin.normalize().tz_localize(None)
    if minutes >= 1440:
        return np.asarray(local_days.days // (minutes // 1440), dtype=np.int64)
    clock = times.hour * 60 + times.minute
    return np.asarray(local_days.days * (1440 // minutes) + clock // minutes, dtype=np.int64)


def slot_count(horizon: str, step: str) -> int:
    """Return how many slots a horizon has."""
    return step_minutes(horizon) // step_minutes(step)


def latest_origin(data: ForecastData) -> pd.Timestamp:
    """Return the last local midnight whose past is observed and whose covariates are known.

    Raises
    ------
    DataError
        Where the data is shorter than one horizon.
    """
    after_actuals = add_steps(data.times[-1:], data.step, 1)[0]
    origin = after_actuals.normalize()
    known_until = min(
        (
            add_steps(pd.DatetimeIndex(frame.index[-1:]), data.step, 1)[0]
            for frame in data.covariates.values()
        ),
        default=None,
    )
    while known_until is not None and horizon_end(origin, data.horizon) > known_until:
        origin -= pd.DateOffset(days=1)
    if origin <= data.times[0]:
        raise DataError(
            f"data from {data.times[0]} to {data.times[-1]} leaves no origin with "
            f"a horizon of {data.horizon} after it"
        )
    return origin


def parse_origin(text: str | None, data: ForecastData) -> pd.Timestamp:
    """Return the origin that configuration asks for, or the latest possible one.

    Raises
    ------
    DataError
        Where it is not a local midnight that follows on observed actuals.
    """
    if text is None:
        return latest_origin(data)
    try:
        origin = pd.Timestamp(text)
    except ValueError:
        raise DataError(f"job.origin={text!r} is not a date; expected 2014-12-31") from None
    zone = data.times.tz
    origin = origin.tz_localize(zone) if origin.tzinfo is None else origin.tz_convert(zone)
    first, last = data.times[0], data.times[-1]
    end_of_actuals = add_steps(pd.DatetimeIndex([last]), data.step, 1)[0]
    if origin != origin.normalize():
        raise DataError(f"job.origin={text!r} is {origin}; expected a midnight in {zone}")
    if not first < origin <= end_of_actuals:
        raise DataError(
            f"job.origin={text!r} is outside the actuals, which go from {first} to {end_of_actuals}"
        )
    return origin


def backtest_origins(
    data: ForecastData, count: int, stride_days: int = 1
) -> tuple[pd.Timestamp, ...]:
    """Return the last ``count`` origins whose horizon is observed, the oldest first.

    Raises
    ------
    DataError
        Where the data is too short for that many.
    """
    after_actuals = add_steps(data.times[-1:], data.step, 1)[0]
    days = step_minutes(data.horizon) // 1440
    last = (after_actuals - pd.DateOffset(days=days)).normalize()
    if horizon_end(last, data.horizon) > after_actuals:
        last -= pd.DateOffset(days=1)
    origins = [last - pd.DateOffset(days=back * stride_days) for back in reversed(range(count))]
    needed = origins[0] - pd.DateOffset(days=28)
    if needed < data.times[0]:
        raise DataError(
            f"actuals from {data.times[0]} to {data.times[-1]} are too short for "
            f"{count} backtest origins; they would have to begin at {needed} or earlier, or "
            "set backtest.origins, calibration or every lower"
        )
    return tuple(origins)
