"""Records of what happened in the world: event and ground truth."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from loopcast.api.record import Name, Record, Segment, VersionId

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
        What was done with it: ``served``, ``refused``, ``fallback``.
    explanation
        Contribution of each input where the logical model asks for it.
    latency_ms
        Milliseconds from request to answer.
    source
        What made it: a batch run, a server, a device.
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

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        self.require(self.time.tzinfo is not None, f"time {self.time} has no time zone")


class GroundTruth(Record, frozen=True):
    """An outcome, joined to events later by key."""

    key: str
    logical_model: Name
    segment: Segment
    observed: datetime
    value: float | str

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        self.require(self.observed.tzinfo is not None, f"observed {self.observed} has no time zone")
