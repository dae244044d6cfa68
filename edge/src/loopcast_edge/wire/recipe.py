"""The input recipe: how raw measurements and a moment become the features of a model.

A recipe is a list of steps. Each makes a column, or several, from measurements and from columns of
earlier steps; ``features`` names those that the model sees, in its order. All columns are numbers
in double precision, NaN where missing, and rounded to float32 when they enter the model.

A row is about one interval that starts at a multiple of ``step_seconds`` since 1970-01-01 in UTC.
What a step says of the past (`Lag`, `Window`, `Smoothed`, `PreviousDay`) counts in such intervals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated, Literal, Optional, Union

import msgspec

from loopcast_edge.wire.codec import Column, Finite, Part, Text

Positive = Annotated[float, msgspec.Meta(gt=0.0, le=1e9)]
Day = Annotated[int, msgspec.Meta(ge=0, le=200_000)]
"""A local date: days since 1970-01-01."""

Known = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=10_000)]


class Measurement(Part, frozen=True):
    """A raw value that the device reads.

    Attributes
    ----------
    kind
        ``number``, ``category`` (a text), or ``items`` (a list of texts).
    minimum, maximum
        A number outside is counted as missing, and reported.
    oldest_seconds
        How old a reading may be to count for an interval; one interval where it is left out.
    required
        Whether nothing is predicted by the model without it.
    ahead
        Whether it is known over the horizon, as a weather forecast is.
    """

    name: Column
    kind: Literal["number", "category", "items"] = "number"
    unit: Text = ""
    minimum: Optional[Finite] = None
    maximum: Optional[Finite] = None
    oldest_seconds: Optional[Positive] = None
    required: bool = True
    ahead: bool = False

    def __post_init__(self) -> None:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"{self.name}: minimum {self.minimum} is above {self.maximum}")


class Step(Part, frozen=True, tag_field="step"):
    """What makes one column, of this name."""

    name: Column

    @property
    def uses(self) -> tuple[str, ...]:
        """Columns and measurements that it is made from."""
        return ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it makes."""
        return (self.name,)


class _Derived(Step, frozen=True):
    """A step that is made from one column or measurement.

    Attributes
    ----------
    of
        Its name.
    """

    of: Column

    @property
    def uses(self) -> tuple[str, ...]:
        """What it is made from."""
        return (self.of,)


class Number(_Derived, frozen=True, tag="number"):
    """A measured number.

    Attributes
    ----------
    missing
        What stands for a missing one; NaN where it is left out.
    """

    missing: Optional[Finite] = None


class Missing(_Derived, frozen=True, tag="missing"):
    """1 where a measurement or column is missing, otherwise 0."""


class Category(_Derived, frozen=True, tag="category"):
    """Place of a measured text among the known ones, of which there are n, from 0.

    An unknown one is n, a missing one n + 1: a model that looks it up has n + 2 entries.
    """

    known: Known


class Chosen(_Derived, frozen=True, tag="chosen"):
    """A column for each known item: 1 where it is in the measured list, otherwise 0.

    Unknown items are left out. Columns are named ``name.0``, ``name.1``, …
    """

    known: Known

    @property
    def columns(self) -> tuple[str, ...]:
        """A column for each item."""
        return tuple(f"{self.name}.{place}" for place in range(len(self.known)))


Clock = Literal[
    "hour",
    "standard_hour",
    "daylight_saving",
    "day_of_year",
    "weekday",
    "day_type",
    "holiday",
    "day_before_holiday",
    "day_after_holiday",
]


class Calendar(Step, frozen=True, tag="calendar"):
    """Local time at which the interval starts, in the zone of the recipe.

    An interval of a day or longer is dated by its middle.

    Attributes
    ----------
    of
        ``hour``: of the wall clock, 0 to 24, with its fraction. ``standard_hour``: the same without
        daylight saving. ``daylight_saving``: 1 where the clock is ahead of standard time, the
        lower of its offsets on 1 January and 1 July. ``day_of_year``: share of the local year
        that has passed, (day − 1 + hour / 24) / (365 or 366). ``weekday``: 0 is Monday.
        ``holiday``: 1 on the holidays of the recipe. ``day_type``: weekday, and 6 on holidays.
        ``day_before_holiday``, ``day_after_holiday``: 1 there, unless it is a holiday itself.
    """

    of: Clock


class DaysFrom(Step, frozen=True, tag="days_from"):
    """Days since (negative: until) the nearest local date of this month and day.

    More than half a year since the last one counts until the next: from 180 days on.
    """

    month: Annotated[int, msgspec.Meta(ge=1, le=12)]
    day: Annotated[int, msgspec.Meta(ge=1, le=31)]


class Trend(Step, frozen=True, tag="trend"):
    """Years of 365.25 days since a moment; after it, t becomes τ (1 − exp(−t / τ)).

    Attributes
    ----------
    origin
        Milliseconds since 1970-01-01 in UTC.
    damping_years
        τ; not damped where it is left out.
    """

    origin: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    damping_years: Optional[Positive] = None


class Between(_Derived, frozen=True, tag="between"):
    """1 where lowest ≤ x ≤ highest, otherwise 0; 0 where x is missing."""

    lowest: Finite
    highest: Finite


class Clip(_Derived, frozen=True, tag="clip"):
    """Nearest number to x from lowest to highest."""

    lowest: Finite
    highest: Finite


class Scale(_Derived, frozen=True, tag="scale"):
    """(x − subtract) / divide."""

    subtract: Finite = 0.0
    divide: Positive = 1.0


class Log(_Derived, frozen=True, tag="log"):
    """Natural logarithm of plus + x; missing where that is not above 0."""

    plus: Finite = 0.0


class Product(Step, frozen=True, tag="product"):
    """Product of columns."""

    of: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=16)]

    @property
    def uses(self) -> tuple[str, ...]:
        """What is multiplied."""
        return self.of


class Lag(_Derived, frozen=True, tag="lag"):
    """The column or measurement so many intervals before."""

    intervals: Annotated[int, msgspec.Meta(ge=1, le=20_000)]


class Window(_Derived, frozen=True, tag="window"):
    """The last values before the interval, the oldest first: lags ``count + skip`` to ``1 + skip``.

    Columns are named ``name.0``, ``name.1``, …
    """

    count: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    skip: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """A column for each value."""
        return tuple(f"{self.name}.{place}" for place in range(self.count))


class Smoothed(_Derived, frozen=True, tag="smoothed"):
    """Mean of the present and the past, weighted by exp(−age / hours); missing ones are left out.

    The weights sum to one over the values that there are.
    """

    hours: Positive


class PreviousDay(_Derived, frozen=True, tag="previous_day"):
    """Lowest, highest or mean value of the local day before; the day's own where there is none."""

    statistic: Literal["minimum", "maximum", "mean"]


AnyStep = Union[
    Number, Missing, Category, Chosen, Calendar, DaysFrom, Trend, Between, Clip, Scale, Log,
    Product, Lag, Window, Smoothed, PreviousDay,
]  # fmt: skip


class Recipe(Part, frozen=True):
    """How measurements and a moment become the features of a model.

    Attributes
    ----------
    step_seconds
        Length of an interval.
    zone
        IANA name of local time.
    holidays
        Local dates that are holidays, as far as they are known, sorted.
    measurements
        What the device reads.
    steps
        In the order in which they are made.
    features
        Names of the columns that the model sees, in its order; a step of several columns may be
        named as a whole.
    target
        The measurement that later tells how good a prediction was; ``None`` where outcomes are
        not seen on the device. Features take it for missing where no answer about it may be so.
    """

    step_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)]
    measurements: Annotated[tuple[Measurement, ...], msgspec.Meta(max_length=256)]
    steps: Annotated[tuple[AnyStep, ...], msgspec.Meta(max_length=1024)]
    features: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=4096)]
    zone: Text = "UTC"
    holidays: Annotated[tuple[Day, ...], msgspec.Meta(max_length=1000)] = ()
    target: Optional[Column] = None

    def __post_init__(self) -> None:
        measured = [each.name for each in self.measurements]
        _refuse_repeats(measured, "measurement")
        made = ({step.name, *step.columns} for step in self.steps)
        _refuse_repeats(itertools.chain.from_iterable(made), "column")
        known = set(measured)
        for step in self.steps:
            _require(step.uses, known, f"step {step.name}")
            known.update(step.columns)
        _require(self.features, self._nameable, "features")
        if self.target is not None:
            _require([self.target], set(measured), "target")
        if list(self.holidays) != sorted(set(self.holidays)):
            raise ValueError("holidays are not sorted")

    def known(self, name: str) -> tuple[str, ...]:
        """Return the texts that a step knows, by their places; none where it knows none."""
        steps = (step for step in self.steps if isinstance(step, (Category, Chosen)))
        return next((step.known for step in steps if step.name == name), ())

    @property
    def _nameable(self) -> set[str]:
        return {name for step in self.steps for name in (step.name, *step.columns)}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the model's columns, each by itself, in order."""
        made = {step.name: step.columns for step in self.steps}
        return tuple(
            itertools.chain.from_iterable(made.get(name, (name,)) for name in self.features)
        )


def _refuse_repeats(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {what}s are named {name!r}")
        seen.add(name)


def _require(names: Iterable[str], known: set[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: {name!r} is neither measured nor made by a step before")
