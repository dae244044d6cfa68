"""What is decided by a score: the cut-off, what decisions earn, and how certain they have to be."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api.record import Record, Share


class Profits(Record, frozen=True):
    """What a case earns or, below zero, costs, by how it is decided and what then happens.

    Where the schema names an amount, what a unit of it earns.

    Attributes
    ----------
    granted_event, granted_other
        Of a case that is decided in favour: where the event happens, and where it does not.
    refused_event, refused_other
        Of one that is not.
    unit
        Of money, for people.
    """

    granted_event: float
    granted_other: float
    refused_event: float = 0.0
    refused_other: float = 0.0
    unit: str = ""

    @property
    def cutoff(self) -> float:
        """The probability of the event at which granting and refusing are expected to earn alike.

        Source: C. Elkan (2001), The foundations of cost-sensitive learning, IJCAI, equation 2.
        """
        with_event = self.refused_event - self.granted_event
        without = self.granted_other - self.refused_other
        return without / (without + with_event)

    def check(self) -> None:
        """There is something to decide: each outcome is better decided in its own way."""
        gains = (self.refused_event - self.granted_event, self.granted_other - self.refused_other)
        self.require(
            min(gains) > 0.0 or max(gains) < 0.0,
            "one decision earns more whatever happens, so that no score is needed; expected "
            "granted_other above refused_other and granted_event below refused_event, or both "
            "the other way round",
        )

    @property
    def favourable(self) -> Literal["low", "high"]:
        """Which scores are better granted."""
        return "low" if self.granted_event < self.refused_event else "high"


class SetSettings(Record, frozen=True):
    """Sets of outcomes that hold the true one with a promised probability.

    Attributes
    ----------
    confidence
        Share of cases with the event, and of those without, whose set holds what happens.
    by
        Feature of categories for each of which it is promised.
    """

    confidence: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.9
    by: str | None = None


class DecisionSettings(Record, frozen=True):
    """How a score is decided by.

    Attributes
    ----------
    cutoff
        Probability of the event that divides what is granted from what is not; where it is
        ``None``, the one at which profits are even, if they are given.
    favourable
        ``low``: scores below the cut-off are granted; ``high``: those from it on.
    profits
        What decisions earn.
    accept_at_random
        Share of the cases beyond the cut-off that is granted by lot all the same, so that what
        becomes of such cases is seen.
    lot
        A text that the lot depends on beside the case's key and the name of the logical model;
        who does not know it cannot foresee a draw.
    sets
        Decision sets to give with each score; none where ``None``.
    """

    cutoff: Share | None = None
    favourable: Literal["low", "high"] = "low"
    profits: Profits | None = None
    accept_at_random: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.0
    lot: str = ""
    sets: SetSettings | None = None

    @property
    def threshold(self) -> float | None:
        """The cut-off that holds; ``None`` where nothing says one."""
        if self.cutoff is None and self.profits is not None:
            return self.profits.cutoff
        return self.cutoff

    def check(self) -> None:
        """The side that is granted is the one that profits favour, and a lot has its limits."""
        self.require(
            not self.accept_at_random or self.threshold is not None,
            "accept_at_random is a share of what a cut-off refuses, and there is none; set cutoff, "
            "or profits",
        )
        self.require(
            self.profits is None or self.profits.favourable == self.favourable,
            f"favourable is {self.favourable}, and by the profits the other scores should be "
            "granted",
        )
