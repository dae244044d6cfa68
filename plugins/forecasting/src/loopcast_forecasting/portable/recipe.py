"""The features of a site as steps of a recipe, which a device makes of what it measures.

A device knows the holidays of its recipe for some years; where the place has no calendar, the flag
that the data had is measured. A day on which the two differ is another kind of day for a device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from loopcast.api import ModelError, Site, step_minutes
from loopcast.api import recipe as r
from loopcast_forecasting.features.clock import TREND_DAMPING
from loopcast_forecasting.features.holidays import public_holidays
from loopcast_forecasting.features.site import CHRISTMAS, DAYS, TEMPERATURE, YEAR_END, FeatureSpec

YEARS = 4  # after the end of training, whose holidays a device knows
LAST = "last response"
"""The column of what was measured in the interval before, as the model sees it."""

Step: TypeAlias = (
    r.Between | r.Calendar | r.Clip | r.DaysFrom | r.Lag | r.Log | r.Number | r.PreviousDay
    | r.Product | r.Smoothed | r.Trend
)  # fmt: skip


def site_recipe(
    spec: FeatureSpec, features: Sequence[str], site: Site, target: str, *, log: bool
) -> r.Recipe:
    """Return the recipe of some features, and of the last response.

    Parameters
    ----------
    features
        Names of columns of the feature matrix.
    target
        Name of the series, which the device measures.
    log
        Whether the model sees its logarithm.

    Raises
    ------
    ModelError
        Where a feature tells days next to holidays, and no calendar does.
    """
    beside = {"day_before_holiday", "day_after_holiday"} & set(features)
    if beside and not site.holidays:
        raise ModelError(
            f"feature {min(beside)!r} follows from a flag of the data, which a device cannot see "
            "ahead; name the calendar of the site: holidays"
        )
    made = [*_calendar(spec, site), *_weather(spec), *_last(target, log=log)]
    return r.Recipe(
        step_seconds=60 * step_minutes(spec.step),
        measurements=(*_measurements(spec, site), r.Measurement(name=target, required=False)),
        steps=tuple(_needed(made, (*features, LAST))),
        features=(*features, LAST),
        zone=site.timezone,
        holidays=_holidays(spec, site),
        target=target,
    )


def _measurements(spec: FeatureSpec, site: Site) -> Iterator[r.Measurement]:
    for name in spec.covariates:
        if name != spec.day_flag or not site.holidays:
            yield r.Measurement(name=name, ahead=True)


def _holidays(spec: FeatureSpec, site: Site) -> tuple[int, ...]:
    first = pd.Timestamp(spec.trained_until).year - 1
    known = [public_holidays(site.holidays, first + year) for year in range(YEARS + 2)]
    return tuple(np.concatenate(known).astype("datetime64[D]").astype(int).tolist())


def _needed(made: Sequence[Step], wanted: Sequence[str]) -> list[Step]:
    """Return the steps that features are made from, in their order."""
    names, kept = set(wanted), list[Step]()
    for step in reversed(made):
        if step.name in names:
            kept.append(step)
            names.update(step.uses)
    return kept[::-1]


def _calendar(spec: FeatureSpec, site: Site) -> Iterator[Step]:
    for name in ("hour", "standard_hour", "daylight_saving", "day_of_year", "weekday"):
        yield r.Calendar(name=name, of=name)
    yield from _day_types(spec, site)
    yield r.Calendar(name="day_before_holiday", of="day_before_holiday")
    yield r.Calendar(name="day_after_holiday", of="day_after_holiday")
    yield r.DaysFrom(name="days since christmas", month=12, day=25)
    low, high = CHRISTMAS
    yield r.Between(name="christmas", of="days since christmas", lowest=low, highest=high)
    yield r.Clip(name="days_from_christmas", of="days since christmas", lowest=low, highest=high)
    low, high = YEAR_END
    yield r.Between(name="year end", of="days since christmas", lowest=low, highest=high)
    yield r.Product(name="year_end_workday", of=("year end", "workday"))
    end = int(pd.Timestamp(spec.trained_until).timestamp() * 1000)
    yield r.Trend(name="years", origin=end, damping_years=TREND_DAMPING)


def _day_types(spec: FeatureSpec, site: Site) -> Iterator[Step]:
    """Yield day types as the features have them: a holiday is a Sunday."""
    yield r.Between(name="weekdays", of="weekday", lowest=0, highest=4)
    if site.holidays or not spec.day_flag:
        yield r.Calendar(name="holiday", of="holiday")
    elif spec.day_flag == "working_day":
        yield _none_of("idle", spec.day_flag)
        yield r.Product(name="holiday", of=("idle", "weekdays"))
    else:
        yield r.Number(name="holiday", of=spec.day_flag)
    yield _none_of("ordinary", "holiday")
    for place, day in enumerate(DAYS[:-1]):
        yield r.Between(name=f"calendar {day}", of="weekday", lowest=place, highest=place)
        yield r.Product(name=day, of=(f"calendar {day}", "ordinary"))
    yield r.Between(name="not calendar sunday", of="weekday", lowest=0, highest=5)
    yield r.Product(name="not sunday", of=("not calendar sunday", "ordinary"))
    yield _none_of("sunday", "not sunday")
    yield r.Product(name="workday", of=("weekdays", "ordinary"))
    yield _none_of("weekend", "workday")


def _none_of(name: str, of: str) -> r.Between:
    """Return 1 where a flag is 0."""
    return r.Between(name=name, of=of, lowest=0.0, highest=0.5)


def _weather(spec: FeatureSpec) -> Iterator[Step]:
    for name in spec.covariates:
        if name != spec.day_flag:
            yield r.Number(name=name, of=name)
    if spec.temperature:
        for hours in spec.smoothed_hours:
            name = f"temperature_smoothed_{hours:g}h"
            yield r.Smoothed(name=name, of=TEMPERATURE, hours=hours)
        yield r.PreviousDay(name="previous_day_minimum", of=TEMPERATURE, statistic="minimum")
        yield r.PreviousDay(name="previous_day_maximum", of=TEMPERATURE, statistic="maximum")


def _last(target: str, *, log: bool) -> Iterator[Step]:
    if not log:
        yield r.Lag(name=LAST, of=target, intervals=1)
        return
    yield r.Lag(name="last actual", of=target, intervals=1)
    yield r.Log(name=LAST, of="last actual")
