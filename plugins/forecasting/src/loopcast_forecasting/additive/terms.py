"""The additive model as pyGAM terms.

Sizes of bases are for half-hours, and no larger than what a step can tell apart; how smooth each
term is, the data decide. A term is left out where the training data cannot say anything about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.features.site import DAYS, TEMPERATURE, FeatureSpec

if TYPE_CHECKING:
    from pygam.terms import Term, TermList

SMALLEST_CYCLE = 4  # splines of a periodic cubic basis
BOTH = ["derivative", "l2"]  # smooth, and shrunk to nothing where there is nothing to tell


@dataclass(frozen=True, eq=False, kw_only=True)
class TermBuilder:
    """Builds terms for named features.

    Attributes
    ----------
    names
        Columns of the feature matrix.
    per_day
        Steps of a day.
    """

    names: Sequence[str]
    per_day: int

    def number(self, name: str, size: int, by: str | None = None) -> Term:
        """Return a smooth of a number, a straight line beyond the data."""
        from pygam import s

        column = self.names.index(name)
        if by is None:
            return s(column, n_splines=size)
        return s(column, n_splines=size, by=self.names.index(by), penalties=BOTH, lam=[0.6, 0.6])

    def hour(self, size: int, by: str | None = None, name: str = "hour") -> Term:
        """Return a cyclic smooth of the time of day."""
        return self._cycle(name, self._at_most(size), 24, by)

    def season(self, size: int, by: str | None = None) -> Term:
        """Return a cyclic smooth of the time of the year."""
        return self._cycle("day_of_year", size, 1, by)

    def line(self, name: str) -> Term:
        """Return a straight line, shrunk to nothing where there is nothing to tell."""
        from pygam import l

        return l(self.names.index(name), penalties="l2")

    def product(self, first: Term, second: Term, by: str | None = None) -> Term:
        """Return the interaction of two smooths."""
        from pygam import te

        return te(first, second, by=None if by is None else self.names.index(by))

    def _cycle(self, name: str, size: int, length: float, by: str | None) -> Term:
        from pygam import s

        return s(
            self.names.index(name),
            n_splines=size,
            basis="cp",
            edge_knots=[0, length],
            by=None if by is None else self.names.index(by),
            **({} if by is None else {"penalties": BOTH, "lam": [0.6, 0.6]}),
        )

    def _at_most(self, size: int) -> int:
        return max(SMALLEST_CYCLE, min(size, self.per_day))


def build_terms(
    spec: FeatureSpec,
    features: Mapping[str, Floats],
    *,
    whole_year: bool,
    trend: bool,
    interactions: bool,
) -> TermList:
    """Return the terms of the additive model.

    Parameters
    ----------
    spec : FeatureSpec
    features : mapping of str to ndarray
        Of the training rows.
    whole_year : bool
        Whether training covers a year. If not, the season is a smooth that can do little more
        than one wave, without interactions, and the days around Christmas have no curve of
        their own: continued into weeks that were not seen, they would be far off.
    trend : bool
        A straight line in time, by time of day.
    interactions : bool
        Products of temperature, time of day and time of year.
    """
    from pygam.terms import TermList

    build = TermBuilder(names=list(features), per_day=spec.steps_per_day)
    varied = {name for name, values in features.items() if np.ptp(values) > 0}
    within_day = spec.steps_per_day > 1
    terms = [*_calendar(build, varied, within_day)]
    terms += _year_end(build, varied, within_day)
    terms += _season(build, varied, within_day) if whole_year else [build.season(SMALLEST_CYCLE)]
    if TEMPERATURE in varied:
        terms += _weather(build, spec, within_day)
        if interactions:
            terms += _interactions(build, spec, within_day)
        if interactions and whole_year:
            terms.append(build.product(build.number(TEMPERATURE, 8), build.season(8)))
    if trend:
        terms += [build.line("years")]
        terms += [build.hour(12, by="years")] if within_day else []
    terms += [build.number(name, 10) for name in spec.numbers if name in varied]
    terms += [build.line(name) for name in spec.flags if name in varied]
    return TermList(*terms)


def _calendar(build: TermBuilder, varied: set[str], within_day: bool) -> Iterator[Term]:
    types = [name for name in DAYS if name in varied]
    if within_day:
        yield build.hour(48)
        yield from (build.hour(24, by=name) for name in types)
        if "daylight_saving" in varied:
            yield build.hour(48, by="daylight_saving", name="standard_hour")
        if "holiday" in varied:
            yield build.hour(12, by="holiday")
    else:
        yield from (build.line(name) for name in (*types, "holiday") if name in varied)
    yield from (build.line(n) for n in ("day_before_holiday", "day_after_holiday") if n in varied)


def _year_end(build: TermBuilder, varied: set[str], within_day: bool) -> Iterator[Term]:
    if "year_end_workday" in varied:
        name = "year_end_workday"
        yield build.hour(12, by=name) if within_day else build.line(name)


def _season(build: TermBuilder, varied: set[str], within_day: bool) -> Iterator[Term]:
    if "christmas" in varied:
        yield build.number("days_from_christmas", 14, by="christmas")
    yield build.season(20)
    if "weekend" in varied:
        yield build.season(10, by="weekend")
    if within_day:
        yield build.product(build.season(12), build.hour(16))
    if within_day and "weekend" in varied:
        yield build.product(build.season(6), build.hour(8), by="weekend")


def _weather(build: TermBuilder, spec: FeatureSpec, within_day: bool) -> Iterator[Term]:
    yield build.number(TEMPERATURE, 12)
    yield from (build.number(name, 10) for name in smoothed_names(spec))
    if within_day:
        yield build.number("previous_day_maximum", 8)
        yield build.number("previous_day_minimum", 8)


def _interactions(build: TermBuilder, spec: FeatureSpec, within_day: bool) -> Iterator[Term]:
    def temperature() -> Term:
        return build.number(TEMPERATURE, 8)

    smoothed = smoothed_names(spec)
    if within_day:
        yield build.product(temperature(), build.hour(8))
        yield from (build.product(build.number(name, 6), build.hour(8)) for name in smoothed)
    yield from (build.product(temperature(), build.number(name, 6)) for name in smoothed[1:2])


def smoothed_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the smoothed temperatures."""
    return [f"temperature_smoothed_{hours:g}h" for hours in spec.smoothed_hours]
