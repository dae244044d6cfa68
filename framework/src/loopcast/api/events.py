"""Records of what happened in the world: event and ground truth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from loopcast.api.record import Name, NonNegative, Record, Segment, Share, VersionId

Role = Literal["champion", "challenger", "canary", "shadow", "candidate"]


class Event(Record, frozen=True):
    """One prediction as it happened.

    Attributes
    ----------
    key
        Joins the event to its ground truth: a series and a time stamp, an application, a
        recommendation.
    time
        When the prediction was made, with a time zone.
    inputs, outputs
        What went in and what came out, by name.
    action
        What was done with it: ``served``; ``withheld`` of a shadow; beyond the domain of
        applicability ``flagged``, answered by the ``fallback``, given to a ``person`` or
        ``refused``.
    explanation
        Contribution of each input where the logical model asks for it.
    latency_ms
        Milliseconds from request to answer; of scores and lists of a batch, those of all over
        their number. 0 where it was not measured.
    source
        What made it: a batch run, a server, a device.
    inclusion
        The probability with which such an event is logged, by the sampling rules.
    labelling
        The probability with which such an event is chosen to be labelled, by the labelling
        rules; 0 for an event that was not chosen.
    propensity
        The probability with which this version was to answer, where entities are divided among
        versions by chance: by a canary's share, or among the arms of an experiment.
    """

    key: str
    time: datetime
    logical_model: Name
    segment: Segment
    version: VersionId
    role: Role
    outputs: dict[str, float | str | None]
    inputs: dict[str, float | str | None] = {}
    action: str = "served"
    explanation: dict[str, float] = {}
    latency_ms: float = 0.0
    source: str = "batch"
    inclusion: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0
    labelling: Share = 1.0
    propensity: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        self.require(self.time.tzinfo is not None, f"time {self.time} has no time zone")


class SamplingRule(Record, frozen=True):
    """The share of some events that is kept; the first rule that fits an event counts.

    Attributes
    ----------
    share
        The probability with which such an event is kept.
    segment, version, role, action, source
        Which events it is about; any value where it is left out.
    """

    share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    segment: Segment | None = None
    version: VersionId | None = None
    role: Role | None = None
    action: str | None = None
    source: str | None = None


class LogSettings(Record, frozen=True):
    """What of a logical model's predictions is logged, and which of them are to be labelled.

    Attributes
    ----------
    sampling
        Rules for what is logged; everything where none fits.
    labelling
        Rules for what is chosen to be labelled, where labels cost something; everything where
        none fits.
    """

    sampling: tuple[SamplingRule, ...] = ()
    labelling: tuple[SamplingRule, ...] = ()


class ReasonSettings(Record, frozen=True):
    """Which reasons are given with a score, and logged with its event.

    They are those against the side that the logical model's decision is favourable on.

    Attributes
    ----------
    most
        How many reasons at most; with 0, nothing is explained.
    """

    most: NonNegative = 0
