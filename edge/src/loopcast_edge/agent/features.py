"""Features of a model from what was measured, as the recipe of its manifest says.

A recipe is read once: how far back each of its columns is needed follows from the steps that are
made of it, so that a row costs no more than its own past. Columns are arrays of the last
intervals, the row's own the last.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loopcast_edge.agent.readings import AHEAD, LARGEST, Readings
from loopcast_edge.agent.steps import Past, absent, made, reach
from loopcast_edge.wire import Measurement, Recipe

ANYTHING = (-math.inf, math.inf)

NOTHING: Mapping[str, Any] = MappingProxyType({})
LONGEST_TEXT = 120
"""Characters of a text that an event takes."""


class Row(NamedTuple):
    """What a recipe makes of one interval.

    Attributes
    ----------
    features
        Float32, shape (1, n).
    inputs
        What was measured, ``None`` where it is missing or out of bounds.
    missing
        Required measurements that are missing.
    """

    features: NDArray[np.float32]
    inputs: dict[str, Any]
    missing: tuple[str, ...]


class Features:
    """Makes the rows of one recipe.

    Parameters
    ----------
    recipe
        Of the manifest.
    readings
        Where measurements are kept; from now on, as far back as the recipe looks.
    earlier
        Intervals before the present whose rows can still be made.
    believed
        What the target may be. Beyond it, rows are made as if it had not been measured; it is an
        outcome all the same.

    Attributes
    ----------
    vital
        Columns without which a model cannot answer, shape (n,): not those made of nothing but
        what is not required, which it is told as NaN.
    measured
        Columns that any measurement is behind, shape (n,).
    """

    def __init__(
        self,
        recipe: Recipe,
        readings: Readings,
        earlier: int = 0,
        believed: tuple[float, float] = ANYTHING,
    ) -> None:
        self.recipe = recipe
        self._readings, self._believed = readings, believed
        self._holidays = frozenset(recipe.holidays)
        self._needed = _needed(recipe)
        required = {each.name: each.required for each in recipe.measurements}
        target = {} if recipe.target is None else {recipe.target: False}
        self.vital = _behind(recipe, {**required, **target}, nothing=True)
        self.measured = _behind(recipe, dict.fromkeys(required, True), nothing=False)
        for each in recipe.measurements:
            back = self._needed[each.name] + self._carried(each) + earlier
            readings.keep(recipe.step_seconds, each.name, back + (AHEAD if each.ahead else 1))

    def interval(self, time_s: float) -> int:
        """Return the number of the interval in which a second since 1970-01-01 in UTC is."""
        return int(time_s // self.recipe.step_seconds)

    def reads(self, values: Collection[str]) -> bool:
        """Tell whether any of these is a measurement of the recipe."""
        return any(each.name in values for each in self.recipe.measurements)

    def row(self, interval: int, own: Mapping[str, Any] = NOTHING) -> Row:
        """Return the features of one interval, and what was there for them.

        Parameters
        ----------
        own
            What a request says of itself, in place of what was measured in the interval.
        """
        columns = {
            each.name: self._believable(each, interval, own) for each in self.recipe.measurements
        }
        inputs = {name: _plain(values[-1]) for name, values in columns.items()}
        missing = (
            each.name
            for each in self.recipe.measurements
            if each.required and each.name != self.recipe.target and inputs[each.name] is None
        )
        for step in self.recipe.steps:
            past = Past(columns, interval, self._needed[step.name], self.recipe, self._holidays)
            columns.update(zip(step.columns, np.atleast_2d(made(step, past))))
        values = np.array([[columns[name][-1] for name in self.recipe.columns]], np.float64)
        return Row(values.astype(np.float32), inputs, tuple(missing))

    def outcome(self, interval: int) -> Any:
        """Return what the recipe's target was in one interval, ``None`` where it is not known."""
        target = self.recipe.target
        what = next((each for each in self.recipe.measurements if each.name == target), None)
        return None if what is None else _plain(self._measured(what, interval)[-1])

    def _believable(self, what: Measurement, last: int, own: Mapping[str, Any]) -> NDArray[Any]:
        """Values of a measurement up to an interval, an absurd target left out too."""
        values = self._measured(what, last, own)
        if what.name != self.recipe.target or what.kind != "number":
            return values
        lowest, highest = self._believed
        return np.where((values >= lowest) & (values <= highest), values, math.nan)

    def _measured(
        self, what: Measurement, last: int, own: Mapping[str, Any] = NOTHING
    ) -> NDArray[Any]:
        """Values of a measurement up to an interval, those out of bounds left out."""
        earlier = self._carried(what)
        count = self._needed[what.name] + earlier
        step_s = self.recipe.step_seconds
        raw, times = self._readings.read(step_s, what.name, last, count)
        if what.name in own:
            raw[-1], times[-1] = own[what.name], last * step_s
        values: NDArray[Any] = _within(raw, what) if what.kind == "number" else raw
        if not earlier:
            return values
        ends = np.arange(last - count + 2, last + 2, dtype=np.float64) * step_s
        return _carry(values, times, ends, what.oldest_seconds or 0.0)[earlier:]

    def _carried(self, what: Measurement) -> int:
        """Return over how many intervals a value of this measurement counts beyond its own."""
        step_s = self.recipe.step_seconds
        return max(0, math.ceil((what.oldest_seconds or step_s) / step_s) - 1)


def _needed(recipe: Recipe) -> dict[str, int]:
    """Return of each column and measurement how many of the last intervals are needed."""
    needed = dict.fromkeys((each.name for each in recipe.measurements), 1)
    for step in recipe.steps:
        needed.update(dict.fromkeys((step.name, *step.columns), 1))
    for step in reversed(recipe.steps):
        own = max(needed[name] for name in (step.name, *step.columns))
        needed[step.name] = own
        for name in step.uses:
            needed[name] = max(needed[name], own + reach(step, recipe.step_seconds))
    return needed


def _behind(recipe: Recipe, these: dict[str, bool], *, nothing: bool) -> NDArray[np.bool_]:
    """Return of each of the model's columns whether one of these measurements is behind it.

    Of columns that no measurement is behind, it says ``nothing``.
    """
    found = dict(these)
    for step in recipe.steps:
        behind = any(found[name] for name in step.uses) if step.uses else nothing
        found.update(dict.fromkeys((step.name, *step.columns), behind))
    return np.array([found[name] for name in recipe.columns])


def _within(raw: NDArray[np.object_], what: Measurement) -> NDArray[np.float64]:
    """Return numbers, those that are none, absurd or out of bounds as NaN."""
    values = np.array([each if isinstance(each, (int, float)) else math.nan for each in raw], float)
    lowest = -LARGEST if what.minimum is None else what.minimum
    highest = LARGEST if what.maximum is None else what.maximum
    return np.where((values >= lowest) & (values <= highest), values, math.nan)


def _carry(
    values: NDArray[Any], times: NDArray[np.float64], ends: NDArray[np.float64], oldest: float
) -> NDArray[Any]:
    """Fill gaps with the last value before, if it is not too old at the end of the interval."""
    there = np.array([not absent(each) for each in values])
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), 0))
    young = there[last] & (ends - times[last] <= oldest)
    return np.where(young, values[last], math.nan)


def _plain(value: Any) -> Any:
    """Return a value for an event: a float, a text, or ``None``."""
    if absent(value):
        return None
    text = ",".join(value) if isinstance(value, tuple) else value
    return text[:LONGEST_TEXT] if isinstance(text, str) else float(text)
