"""What each step of a recipe computes; the recipe's records say it in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loopcast_edge.agent import clock
from loopcast_edge.agent.readings import Floats
from loopcast_edge.wire import Recipe, recipe

FORGOTTEN = 21.0
"""Time constants after which a smoothed value has forgotten: exp(−21) is below 1e-9."""

YEAR_MS = 365.25 * 86_400_000
TWO_DAYS_S = 49 * 3600  # with a day of 25 hours


class Past(NamedTuple):
    """What a step is made from.

    Attributes
    ----------
    columns
        Arrays that end with the row's interval.
    last
        The row's interval.
    wanted
        Intervals up to it for which the step's column is wanted.
    """

    columns: Mapping[str, NDArray[Any]]
    last: int
    wanted: int
    recipe: Recipe
    holidays: Collection[int]

    def recent(self, name: str) -> NDArray[Any]:
        """Return the wanted intervals of a column."""
        return self.columns[name][-self.wanted :]

    def lagged(self, name: str, intervals: int) -> NDArray[Any]:
        """Return a column as it was so many intervals before."""
        return self.columns[name][-self.wanted - intervals : -intervals]

    def moments(self, count: int) -> list[clock.Moment]:
        """Return local time of the last intervals."""
        step_s, zone = self.recipe.step_seconds, self.recipe.zone
        first = self.last - count + 1
        return [clock.moment(n * step_s, step_s, zone) for n in range(first, self.last + 1)]


def made(step: recipe.Step, past: Past) -> NDArray[Any]:
    """Return what a step makes: shape (wanted,), or (columns, wanted) where it makes several."""
    return np.asarray(MAKERS[type(step)](step, past))


def reach(step: recipe.Step, step_s: int) -> int:
    """Return how many intervals before its own a step looks at."""
    if isinstance(step, recipe.Lag):
        return step.intervals
    if isinstance(step, recipe.Window):
        return step.count + step.skip
    if isinstance(step, recipe.Smoothed):
        return math.ceil(FORGOTTEN * step.hours * 3600 / step_s)
    if isinstance(step, recipe.PreviousDay):
        return math.ceil(TWO_DAYS_S / step_s)
    return 0


def absent(value: Any) -> bool:
    """Tell whether there is no value."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(step: recipe.Number, past: Past) -> Floats:
    values: Floats = past.recent(step.of).astype(float)
    return values if step.missing is None else np.where(np.isnan(values), step.missing, values)


def _missing(step: recipe.Missing, past: Past) -> list[float]:
    return [float(absent(value)) for value in past.recent(step.of)]


def _category(step: recipe.Category, past: Past) -> list[float]:
    unknown = len(step.known)
    places = {text: place for place, text in enumerate(step.known)}
    return [
        float(unknown + 1 if absent(value) else places.get(value, unknown))
        for value in past.recent(step.of)
    ]


def _chosen(step: recipe.Chosen, past: Past) -> list[list[float]]:
    lists = [() if absent(value) else frozenset(value) for value in past.recent(step.of)]
    return [[float(item in chosen) for chosen in lists] for item in step.known]


def _calendar(step: recipe.Calendar, past: Past) -> list[float]:
    return [clock.reading(step.of, at, past.holidays) for at in past.moments(past.wanted)]


def _days_from(step: recipe.DaysFrom, past: Past) -> list[float]:
    return [clock.days_from(step.month, step.day, at) for at in past.moments(past.wanted)]


def _trend(step: recipe.Trend, past: Past) -> Floats:
    intervals = np.arange(past.last - past.wanted + 1, past.last + 1)
    step_ms = past.recipe.step_seconds * 1000.0
    years: Floats = np.asarray((intervals * step_ms - step.origin) / YEAR_MS, np.float64)
    if step.damping_years is None:
        return years
    damped = step.damping_years * -np.expm1(-np.maximum(years, 0.0) / step.damping_years)
    return np.where(years > 0, damped, years)


def _between(step: recipe.Between, past: Past) -> Floats:
    values = past.recent(step.of).astype(float)
    return np.asarray((values >= step.lowest) & (values <= step.highest), float)


def _clip(step: recipe.Clip, past: Past) -> Floats:
    values: Floats = past.recent(step.of).astype(float)
    return np.clip(values, step.lowest, step.highest)


def _scale(step: recipe.Scale, past: Past) -> Floats:
    values: Floats = past.recent(step.of).astype(float)
    return (values - step.subtract) / step.divide


def _log(step: recipe.Log, past: Past) -> Floats:
    shifted: Floats = step.plus + past.recent(step.of).astype(float)
    return np.log(np.where(shifted > 0, shifted, math.nan))


def _product(step: recipe.Product, past: Past) -> Floats:
    return np.asarray(np.prod([past.recent(name).astype(float) for name in step.of], axis=0))


def _lag(step: recipe.Lag, past: Past) -> NDArray[Any]:
    return past.lagged(step.of, step.intervals)


def _window(step: recipe.Window, past: Past) -> list[NDArray[Any]]:
    lags = range(step.count + step.skip, step.skip, -1)
    return [past.lagged(step.of, lag) for lag in lags]


def _smoothed(step: recipe.Smoothed, past: Past) -> Floats:
    values = past.columns[step.of].astype(float)
    there = ~np.isnan(values)
    length = len(values) - past.wanted + 1
    weights = np.exp(-np.arange(length) * (past.recipe.step_seconds / 3600 / step.hours))
    total = np.convolve(np.where(there, values, 0.0), weights, "valid")
    weight = np.convolve(there.astype(float), weights, "valid")
    known = weight > 0
    return np.where(known, total / np.where(known, weight, 1.0), math.nan)


def _previous_day(step: recipe.PreviousDay, past: Past) -> list[float]:
    values = past.columns[step.of].astype(float)
    moments = past.moments(len(values))
    days = np.array([at.day for at in moments])
    return [_of_day_before(step.statistic, values, days, day) for day in days[-past.wanted :]]


def _of_day_before(statistic: str, values: Floats, days: NDArray[np.int_], day: int) -> float:
    for wanted in (day - 1, day):
        found = values[(days == wanted) & ~np.isnan(values)]
        if len(found):
            return float(STATISTICS[statistic](found))
    return math.nan


STATISTICS: dict[str, Callable[[Floats], Any]] = {
    "minimum": np.min,
    "maximum": np.max,
    "mean": np.mean,
}

MAKERS: dict[type, Callable[[Any, Past], Any]] = {
    recipe.Number: _number,
    recipe.Missing: _missing,
    recipe.Category: _category,
    recipe.Chosen: _chosen,
    recipe.Calendar: _calendar,
    recipe.DaysFrom: _days_from,
    recipe.Trend: _trend,
    recipe.Between: _between,
    recipe.Clip: _clip,
    recipe.Scale: _scale,
    recipe.Log: _log,
    recipe.Product: _product,
    recipe.Lag: _lag,
    recipe.Window: _window,
    recipe.Smoothed: _smoothed,
    recipe.PreviousDay: _previous_day,
}
