"""The feature matrix of a site: everything the additive model may look at.

Features of a time depend on nothing later than the end of its day, except the calendar, and
never on the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import DataError, ForecastData, Site, step_minutes
from loopcast_forecasting.features import holidays, weather
from loopcast_forecasting.features.clock import Clock, Dates, Floats, damped_years, local_clock

TEMPERATURE = "temperature"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CHRISTMAS = (-5, 16)  # days from 25 December: 20 December to 10 January
YEAR_END = (-2, 11)  # 23 December to 5 January: many businesses are closed on working days


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """What the features of a fitted model are; plain values for JSON.

    Attributes
    ----------
    step
        Length of an interval.
    trained_until
        First time after training, in UTC.
    temperature
        Whether there is a covariate of this name.
    smoothed_hours
        Time constants of smoothed temperatures.
    day_flag
        Covariate that tells holidays: ``holiday``, ``working_day``, or empty for the calendar.
    numbers, flags
        Names of the other covariates.
    """

    step: str
    trained_until: str
    temperature: bool
    smoothed_hours: tuple[float, ...] = ()
    day_flag: str = ""
    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def step_hours(self) -> float:
        """Length of an interval."""
        return step_minutes(self.step) / 60

    @property
    def steps_per_day(self) -> int:
        """Number of intervals in a day without clock change."""
        return 1440 // step_minutes(self.step)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates that features are made from."""
        weather_names = (TEMPERATURE,) if self.temperature else ()
        day_flag = (self.day_flag,) if self.day_flag else ()
        return (*weather_names, *day_flag, *self.numbers, *self.flags)


def feature_spec(data: ForecastData, smoothed_hours: Sequence[float]) -> FeatureSpec:
    """Decide from training data what the features are.

    Raises
    ------
    DataError
        For a step longer than a day.
    """
    if step_minutes(data.step) > 1440:
        raise DataError(f"step {data.step} is longer than a day; expected 1D or a part of it")
    step_hours = step_minutes(data.step) / 60
    end = data.times[-1] + pd.Timedelta(hours=step_hours)
    day_flag = next((name for name in ("holiday", "working_day") if name in data.covariates), "")
    others = [name for name in data.covariates if name not in (TEMPERATURE, day_flag)]
    flags = tuple(name for name in others if _is_flag(data.covariates[name]))
    return FeatureSpec(
        step=data.step,
        trained_until=end.tz_convert("UTC").isoformat(),
        temperature=TEMPERATURE in data.covariates,
        smoothed_hours=tuple(float(h) for h in smoothed_hours if h >= step_hours),
        day_flag=day_flag,
        numbers=tuple(name for name in others if name not in flags),
        flags=flags,
    )


def _is_flag(frame: pd.DataFrame) -> bool:
    return bool(np.isin(frame.to_numpy(), (0.0, 1.0)).all())


def feature_matrix(
    data: ForecastData, site: str, spec: FeatureSpec, times: pd.DatetimeIndex
) -> dict[str, Floats]:
    """Compute the features of a site.

    Parameters
    ----------
    data : ForecastData
    site : str
    times : DatetimeIndex, shape (n,)
        Consecutive interval starts. Smoothed temperatures and the day before begin with them, so
        that the same times give the same features whatever came before.

    Returns
    -------
    dict of str to ndarray, shape (n,), float64
        In a fixed order for a given ``spec``.

    Raises
    ------
    DataError
        Where a covariate is missing.
    """
    covariates = {name: complete_covariate(data, name, site, times) for name in spec.covariates}
    clock = local_clock(times, data.sites[site].timezone, pd.Timedelta(hours=spec.step_hours))
    features = _calendar(clock, data.sites[site], spec, covariates.get(spec.day_flag))
    features["years"] = damped_years(times, pd.Timestamp(spec.trained_until))
    if spec.temperature:
        features |= _temperatures(covariates[TEMPERATURE], clock, spec)
    return features | {name: covariates[name] for name in (*spec.numbers, *spec.flags)}


def complete_covariate(data: ForecastData, name: str, site: str, times: pd.DatetimeIndex) -> Floats:
    """Return a complete covariate, or say what is missing."""
    if name not in data.covariates:
        raise DataError(f"no covariate {name!r}; the model was fitted with it and needs it")
    frame = data.covariates[name]
    start = int(frame.index.searchsorted(times[0]))
    values = frame[site].to_numpy(np.float64)[start : start + len(times)].copy()
    if len(values) < len(times):
        raise DataError(
            f"covariate {name!r} ends before {times[len(values)]}: {len(times) - len(values)} of "
            f"the steps to {times[-1]} are missing; it has to be known over the horizon"
        )
    absent = ~np.isfinite(values)
    if absent.any():
        raise DataError(
            f"covariate {name!r} of site {site!r}: {int(absent.sum())} values are missing, the "
            f"first at {times[int(np.argmax(absent))]}; it has to be complete"
        )
    return values


def _calendar(
    clock: Clock, site: Site, spec: FeatureSpec, day_flag: Floats | None
) -> dict[str, Floats]:
    dates, day = np.unique(clock.date, return_inverse=True)
    weekday = (dates.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    if day_flag is None:
        holiday = holidays.by_calendar(dates, site.holidays)
    elif spec.day_flag == "working_day":
        holiday = holidays.by_majority(day, 1.0 - day_flag) & (weekday < 5)
    else:
        holiday = holidays.by_majority(day, day_flag)
    before, after = holidays.around(dates, holiday, site.holidays)
    day_type = np.where(holiday, 6, weekday)
    from_christmas = _days_from_christmas(dates)
    window = (from_christmas >= CHRISTMAS[0]) & (from_christmas <= CHRISTMAS[1])
    quiet = (from_christmas >= YEAR_END[0]) & (from_christmas <= YEAR_END[1])
    by_day: Mapping[str, NDArray[Any]] = {
        **{name: day_type == k for k, name in enumerate(DAYS)},
        "weekend": day_type >= 5,
        "holiday": holiday,
        "day_before_holiday": before,
        "day_after_holiday": after,
        "christmas": window,
        "days_from_christmas": np.clip(from_christmas, CHRISTMAS[0], CHRISTMAS[1]),
        "year_end_workday": quiet & ~holiday & (weekday < 5),
    }
    return {
        "hour": clock.hour,
        "standard_hour": clock.standard_hour,
        "daylight_saving": clock.daylight_saving,
        "day_of_year": clock.day_of_year,
        **{name: values.astype(np.float64)[day] for name, values in by_day.items()},
    }


def _days_from_christmas(dates: Dates) -> NDArray[np.int64]:
    """Return the days since (or until, negative) the nearest 25 December."""
    day, year = dates.astype(np.int64), dates.astype("datetime64[Y]").astype(np.int64)
    since, since_last = day - _christmas(year), day - _christmas(year - 1)
    return np.where(since_last < 180, since_last, since)


def _christmas(year: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the day of 25 December, a week before the next year; both are counted from 1970."""
    following = (year + 1).astype("datetime64[Y]")
    return following.astype("datetime64[D]").astype(np.int64) - 7


def _temperatures(temperature: Floats, clock: Clock, spec: FeatureSpec) -> dict[str, Floats]:
    found = {TEMPERATURE: temperature}
    for hours in spec.smoothed_hours:
        name = f"temperature_smoothed_{hours:g}h"
        found[name] = weather.smoothed(temperature, hours, spec.step_hours)
    if spec.steps_per_day > 1:
        day = (clock.date - clock.date[0]).astype(np.intp)
        lowest, highest = weather.previous_day_extremes(temperature, day)
        found |= {"previous_day_minimum": lowest, "previous_day_maximum": highest}
    return found
