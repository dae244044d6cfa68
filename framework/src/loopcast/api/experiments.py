"""Records of online comparisons: what is declared before one begins, and what becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from loopcast.api.models import Direction
from loopcast.api.record import (
    Name,
    NonNegative,
    OpenShare,
    Positive,
    Record,
    Segment,
    VersionId,
    place_name,
)

ExperimentKind = Literal["shadow", "ab", "bandit"]

OUTCOME = "outcome"
"""The metric that is the ground truth itself: a click, revenue, whether the event happened."""


class BanditSettings(Record, frozen=True):
    """How a bandit learns.

    Attributes
    ----------
    forgetting
        What an outcome weighs after one more has come in; 1 never forgets.
    sharpness
        By how much the posterior is sharpened: each outcome counts as so many. Discounting
        alone explores too much where the event is rare.
    floor
        Share of the entities that is spread over all arms evenly, so that each arm is always
        tried, and none is ever served with a probability near zero.
    """

    forgetting: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.9995
    sharpness: Annotated[float, msgspec.Meta(ge=1.0)] = 8.0
    floor: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.02


class Experiment(Record, frozen=True):
    """A declared online comparison; what is declared cannot change after it has begun.

    Attributes
    ----------
    kind
        ``shadow``: the other arms answer beside the champion and are not served, and errors are
        compared pair by pair. ``ab``: entities are served by the arms in equal parts. ``bandit``:
        an arm is served the more, the likelier it is the best one.
    arms
        Versions that are compared, the champion first.
    metric, direction
        By what, and which values of it are better; ``outcome`` is the ground truth itself.
    minimum_effect
        The smallest difference that matters, in the metric's unit.
    significance, power
        Error rates that the sample size was computed from.
    sample_size
        Outcomes that are needed: pairs of a shadow, entities of each arm of an A/B test.
    days, wait_days
        How long the enrolment of so many takes, and how long an outcome takes after it.
    silence_counts
        Whether an entity of which nothing was heard within ``wait_days`` counts as zero: no
        click, no purchase; its outcome is unknown otherwise.
    baseline, deviation
        Mean and standard deviation of the metric when the sample size was computed.
    sequential
        Whether an A/B test may be looked at any time, at the price of a larger sample.
    guardrails
        Other metrics, and by how much each may be worse.
    """

    name: Name
    logical_model: Name
    segment: Segment
    kind: ExperimentKind
    arms: tuple[VersionId, ...]
    metric: Name
    declared: datetime
    by: str
    direction: Direction = "higher"
    minimum_effect: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    significance: OpenShare = 0.05
    power: OpenShare = 0.8
    sample_size: Positive | None = None
    days: Positive | None = None
    wait_days: NonNegative = 0
    silence_counts: bool = False
    baseline: float | None = None
    deviation: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    sequential: bool = False
    guardrails: dict[Name, Annotated[float, msgspec.Meta(ge=0.0)]] = {}
    bandit: BanditSettings | None = None

    def check(self) -> None:
        """There is something to compare, and an A/B test knows when it ends."""
        self.require(len(set(self.arms)) == len(self.arms), "arms name a version twice")
        self.require(len(self.arms) >= 2, f"{len(self.arms)} arms; a comparison needs two")
        self.require(self.declared.tzinfo is not None, f"declared {self.declared} has no time zone")
        self.require(bool(self.by.strip()), "by is empty; name who declares it")
        self.require(
            self.kind == "bandit" or self.sample_size is not None,
            f"{self.kind} is declared with its sample_size",
        )
        self.require(
            self.kind != "ab" or self.minimum_effect > 0.0,
            "an A/B test is declared with the minimum_effect that its sample size can show",
        )
        self.require(
            (self.kind == "bandit") == (self.bandit is not None),
            "the settings of a bandit belong to one, and each has them",
        )
        self.require(
            self.kind == "ab" or not (self.sequential or self.guardrails),
            "sequential looks and guardrails are those of an A/B test",
        )

    @property
    def place(self) -> str:
        """Logical model and segment, for messages."""
        return place_name(self.logical_model, self.segment)

    @property
    def salt(self) -> str:
        """What keys the hash that assigns entities to arms."""
        return f"{self.logical_model}/{self.segment}/{self.name}"


StepName = Literal["begun", "stopped", "concluded"]


class ExperimentStep(Record, frozen=True):
    """What was done with an experiment after its declaration.

    Attributes
    ----------
    step
        ``stopped`` before its time, or ``concluded`` by its result.
    reason
        Why; the result in a sentence where it was concluded.
    """

    step: StepName
    at: datetime
    by: str
    reason: str = ""

    def check(self) -> None:
        """Someone answers for it, at one moment, and an end has its reason."""
        self.require(self.at.tzinfo is not None, f"at {self.at} has no time zone")
        self.require(bool(self.by.strip()), "by is empty; say it")
        self.require(
            self.step == "begun" or bool(self.reason.strip()), f"{self.step} without a reason"
        )


class BanditState(Record, frozen=True):
    """What a bandit has learned; it follows from events and outcomes alone.

    Attributes
    ----------
    updated, updates
        When it learned last, and how often it has.
    until
        Impressions before this moment are counted, later ones are not yet.
    successes, failures
        Discounted outcomes of each arm, in the order of the experiment's arms; a success is the
        event where a higher outcome is better, and its absence where a lower one is.
    shares
        The probability with which each arm serves an entity until the next update.
    heard
        How many outcomes are counted, each as one.
    """

    updated: datetime
    updates: NonNegative
    until: datetime
    successes: tuple[float, ...]
    failures: tuple[float, ...]
    shares: tuple[float, ...]
    heard: NonNegative = 0

    def check(self) -> None:
        """Every arm has its share, and they are all that there is."""
        aware = self.updated.tzinfo is not None and self.until.tzinfo is not None
        self.require(aware, f"updated {self.updated} or until {self.until} has no time zone")
        lengths = {len(self.successes), len(self.failures), len(self.shares)}
        self.require(len(lengths) == 1, "successes, failures and shares differ in length")
        self.require(abs(sum(self.shares) - 1.0) < 1e-9, f"shares add up to {sum(self.shares)}")
