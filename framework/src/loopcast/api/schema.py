"""Schemas of inputs and outputs: one record for each of the three tasks."""

from __future__ import annotations

import itertools
import re
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from loopcast.api.record import Name, Positive, Record

Task = Literal["forecast", "score", "rank"]

Step = Annotated[str, msgspec.Meta(pattern=r"^([1-9]\d*)(min|h|D)$")]
"""A length on the time axis: `30min`, `1h`, `1D` (a local calendar day, of 23 to 25 hours)."""

SeriesName = Annotated[str, msgspec.Meta(pattern=r"^[^\W_][\w.\- ]*$", max_length=120)]
"""Letters of any alphabet, digits, ``_``, ``.``, ``-`` and spaces."""

_MINUTES = {"min": 1, "h": 60, "D": 1440}


def step_minutes(step: str) -> int:
    """Length of a step in minutes, a day counted as 24 hours.

    Examples
    --------
    >>> step_minutes("30min"), step_minutes("1h"), step_minutes("2D")
    (30, 60, 2880)
    """
    match = re.fullmatch(r"(\d+)(min|h|D)", step)
    if match is None:
        raise ValueError(f"{step!r} is not a step such as 30min, 1h or 1D")
    return int(match[1]) * _MINUTES[match[2]]


def _check_bounds(record: Record, minimum: float | None, maximum: float | None) -> None:
    ordered = minimum is None or maximum is None or minimum <= maximum
    record.require(ordered, f"minimum {minimum} is above maximum {maximum}")


def check_zone(record: Record, name: str) -> None:
    """Refuse a record whose time zone nobody knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        record.require(False, f"timezone {name!r} is no IANA zone name, as Europe/Paris is")


class Covariate(Record, frozen=True):
    """An input that is known ahead, over the horizon too.

    Attributes
    ----------
    kind
        ``numeric``, or ``flag`` for a value that is 0 or 1.
    unit
        For people and plots, for example ``°C``.
    minimum, maximum
        Values outside are refused when data is read.
    """

    kind: Literal["numeric", "flag"] = "numeric"
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None

    def check(self) -> None:
        """Bounds are in order."""
        _check_bounds(self, self.minimum, self.maximum)


class Site(Record, frozen=True):
    """A place whose calendar and weather series share.

    Attributes
    ----------
    timezone
        IANA name; calendar features are computed in local time.
    holidays
        Country, or country and subdivision, of the public holidays: ``AU-VIC``.
    """

    timezone: str
    holidays: str = ""

    def check(self) -> None:
        """The zone exists."""
        check_zone(self, self.timezone)


class ForecastSchema(Record, frozen=True, tag_field="task", tag="forecast"):
    """Series with known covariates, that add up over groups and over time.

    Attributes
    ----------
    unit
        Unit of the target, for example ``MW``.
    step, horizon
        Length of one observation, and how far to forecast: whole local days.
    timezone
        Zone of the forecast's day: an origin is a local midnight.
    over_time
        ``mean`` for a rate such as MW (an hour is the mean of its half-hours, and the energy
        adds up), ``sum`` for an amount such as pieces sold.
    resolutions
        Steps at which the forecast is made and made coherent, the finest first.
    sites, series
        Places, and the place of each bottom series; a single site may leave ``series`` empty
        and takes every series of the data.
    aggregates
        Name of each aggregate and the series or other aggregates that it sums.
    covariates
        Inputs known ahead, by their canonical name.
    negative
        Whether the target may be below zero.
    """

    unit: str
    step: Step
    timezone: str
    sites: dict[Name, Site]
    horizon: Step = "1D"
    over_time: Literal["mean", "sum"] = "mean"
    resolutions: tuple[Step, ...] = ()
    series: dict[SeriesName, Name] = {}
    aggregates: dict[SeriesName, tuple[SeriesName, ...]] = {}
    covariates: dict[Name, Covariate] = {}
    negative: bool = False

    @property
    def task(self) -> Literal["forecast"]:
        """The task this schema belongs to."""
        return "forecast"

    def check(self) -> None:
        """Names refer to each other, and steps divide each other."""
        check_zone(self, self.timezone)
        self.require(bool(self.sites), "sites is empty; name at least one place")
        self._check_aggregates()
        self._check_steps()
        for series, site in self.series.items():
            self.require(site in self.sites, f"series {series}: no site {site!r} in sites")
        self.require(
            bool(self.series) or len(self.sites) == 1,
            "series is empty, which works for a single site only",
        )

    def _check_aggregates(self) -> None:
        known = {*self.series, *self.aggregates}
        for name, members in self.aggregates.items():
            self.require(bool(members), f"aggregates: {name} has no members")
            unknown = [m for m in members if self.series and m not in known]
            self.require(not unknown, f"aggregates: {name} sums {unknown[:1]}, which is no series")
        try:
            tuple(TopologicalSorter(self.aggregates).static_order())
        except CycleError as error:
            self.require(False, f"aggregates contain themselves: {' > '.join(error.args[1])}")

    def _check_steps(self) -> None:
        self.require(
            self.horizon.endswith("D"), f"horizon {self.horizon} is not in whole days, as 1D is"
        )
        steps = [step_minutes(step) for step in self.resolutions or (self.step,)]
        self.require(
            steps[0] == step_minutes(self.step), "the first of resolutions must be the step"
        )
        for fine, coarse in itertools.pairwise(steps):
            self.require(
                coarse > fine and coarse % fine == 0,
                "each of resolutions must be a multiple of the one before",
            )
        self.require(1440 % steps[0] == 0, f"step {self.step} does not divide a day")
        self.require(
            step_minutes(self.horizon) % steps[-1] == 0,
            f"horizon {self.horizon} is not a multiple of {self.resolutions[-1:]}",
        )
        self.require(
            steps[-1] <= 1440,
            f"resolutions end at 1D; sum its forecasts for {self.resolutions[-1:]}",
        )


class Feature(Record, frozen=True):
    """One input column of a score.

    Attributes
    ----------
    kind
        ``numeric``, ``category`` or ``flag``.
    missing
        Whether a missing value is an ordinary input.
    protected
        An attribute that fairness is measured by; used as an input only if ``used``.
    pii
        Whether its values say something about a person that the event log must not hold:
        ``hash`` writes a keyed hash in their place, ``drop`` leaves them out.
    title
        What people call it, in reasons and on pages; its name where empty.
    changeable
        Whether the person in question can change it, so that advice may ask for it: a number
        ``up`` or ``down`` only, or ``freely``.
    slack
        How far, in its unit, a number can be moved without anyone noticing or minding: a month
        more of a loan, a rounded income. What a score must not hinge on.
    """

    kind: Literal["numeric", "category", "flag"]
    title: str = ""
    unit: str = ""
    missing: bool = False
    protected: bool = False
    used: bool = True
    minimum: float | None = None
    maximum: float | None = None
    pii: Literal["hash", "drop"] | None = None
    changeable: Literal["up", "down", "freely"] | None = None
    slack: Annotated[float, msgspec.Meta(ge=0.0)] | None = None

    def check(self) -> None:
        """Bounds are in order, what is hashed is no number, and what has an order is one."""
        _check_bounds(self, self.minimum, self.maximum)
        self.require(
            self.kind == "numeric" or self.changeable in (None, "freely"),
            f"changeable {self.changeable} of a {self.kind}, which has no order; say freely",
        )
        self.require(
            self.kind == "numeric" or self.slack is None,
            f"slack of a {self.kind}; only a number has some",
        )
        self.require(
            self.pii != "hash" or self.kind == "category",
            f"pii hash of a {self.kind}; a hashed number means nothing: drop it",
        )


class ScoreSchema(Record, frozen=True, tag_field="task", tag="score"):
    """Rows to the probability of an event.

    Attributes
    ----------
    key
        Column that identifies a row.
    target
        Column with the outcome.
    event
        The outcome whose probability is scored; all others are its complement.
    time
        Column by which out-of-time validation splits.
    accepted
        Flag of the rows that were accepted; the outcome of others cannot be known. Without it,
        all were.
    chance
        Probability with which an accepted row was accepted: 1, or that of a draw. Those that
        were drawn stand for all that might have been: they weigh more.
    amount
        Feature that says how much is at stake in a row, such as the amount of a loan. What a
        decision earns is then for a unit of it, and shares are told of amounts, too.
    private_key
        Whether the key identifies a person; event log and ground truth then hold its keyed hash.
    """

    key: str
    target: str
    event: str | int | bool
    features: dict[str, Feature]
    time: str | None = None
    weight: str | None = None
    accepted: str | None = None
    chance: str | None = None
    amount: str | None = None
    private_key: bool = False

    @property
    def task(self) -> Literal["score"]:
        """The task this schema belongs to."""
        return "score"

    def check(self) -> None:
        """There is something to learn from, and the outcome is not among it."""
        self.require(bool(self.features), "features is empty")
        self.require(self.target not in self.features, f"target {self.target!r} is also a feature")
        self.require(
            self.amount is None or self._is_amount(self.amount),
            f"amount {self.amount!r} is no feature by which cases can count; expected a number "
            "that the score uses, without missing values, and with a minimum of 0 or more",
        )

    def _is_amount(self, name: str) -> bool:
        said = self.features.get(name)
        return (
            said is not None
            and (said.kind, said.used, said.missing) == ("numeric", True, False)
            and said.minimum is not None
            and said.minimum >= 0.0
        )

    @property
    def groupings(self) -> tuple[str, ...]:
        """Features by which a scorer can tell groups of rows apart: categories that it sees."""
        return tuple(n for n, f in self.features.items() if f.kind == "category" and f.used)


class RankSchema(Record, frozen=True, tag_field="task", tag="rank"):
    """Entities (customers) to ordered items (products), learned from interactions.

    Attributes
    ----------
    entity, item, time
        Columns of the interactions.
    value
        Column of the strength of an interaction (a rating, a quantity); each counts one
        where there is none.
    length
        How many items a list has.
    minimum_score
        Below it nothing is recommended.
    repeat
        Whether an item that an entity chose before may be recommended to it again.
    private_key
        Whether an entity is a person; event log and ground truth then hold its keyed hash.
    """

    entity: str
    item: str
    time: str
    value: str | None = None
    entity_features: dict[str, Feature] = {}
    item_features: dict[str, Feature] = {}
    length: Positive = 10
    minimum_score: float | None = None
    repeat: bool = False
    private_key: bool = False

    @property
    def task(self) -> Literal["rank"]:
        """The task this schema belongs to."""
        return "rank"
