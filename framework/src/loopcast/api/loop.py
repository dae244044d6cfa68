"""Records of the way back: drift, alert, and trainings that made no version."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from loopcast.api.record import (
    Digest,
    Name,
    OpenShare,
    Record,
    Segment,
    VersionId,
)


class Drift(Record, frozen=True):
    """A measured difference between reference and recent inputs, outputs or performance.

    Attributes
    ----------
    subject
        The feature, output or metric that was measured.
    measure, value
        How, and how much: ``psi`` of 0.31.
    threshold
        From where on it counts.
    p_value, significance
        Where the measure has a test: its p-value, adjusted for the number of subjects, and from
        where down it counts.
    start, end
        The recent window, with a time zone; ``end`` is the moment after it.
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    of: Literal["input", "output", "performance"]
    subject: str
    measure: Name
    value: float
    threshold: float
    start: datetime
    end: datetime
    p_value: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    significance: OpenShare = 0.01
    subset: str = ""

    def check(self) -> None:
        """The window is one, and its moments are unambiguous."""
        aware = self.start.tzinfo is not None and self.end.tzinfo is not None
        self.require(aware, f"window {self.start} to {self.end} has no time zone")
        self.require(self.start < self.end, f"window {self.start} to {self.end} is empty")

    @property
    def exceeded(self) -> bool:
        """Whether the difference counts: large enough to matter, and no chance."""
        chance = self.p_value is not None and self.p_value > self.significance
        return self.value >= self.threshold and not chance


class DriftThresholds(Record, frozen=True):
    """From where on a difference from the reference counts.

    Attributes
    ----------
    ks
        Kolmogorov–Smirnov statistic of a number: the largest difference of distributions.
    jensen_shannon
        Jensen–Shannon distance of a category, in base 2.
    missing, outside
        Growth of the share of missing values, and of values that the training never had.
    significance
        Share of false alarms among the alarms.
    """

    ks: OpenShare = 0.1
    jensen_shannon: OpenShare = 0.1
    missing: OpenShare = 0.05
    outside: OpenShare = 0.02
    significance: OpenShare = 0.01


Severity = Literal["notice", "warning", "critical"]

Remedy = Literal["retrain", "reweight", "drop_feature", "fall_back", "ask_a_person", "look"]


class Alert(Record, frozen=True):
    """Something that a person or the loop should look at.

    Attributes
    ----------
    kind, subject
        What it is about: ``input_drift`` of ``temperature``, ``volume`` of nothing in particular.
    cause
        What was found, in a sentence.
    evidence
        The numbers behind it.
    remedy
        What could be done.
    raised, seen
        When it was found first, and last.
    acknowledged_by
        Who knows of it; it is not delivered again unless it gets more severe.
    delivered
        The channels that have taken it.
    tell
        The role that it is addressed to.
    part_of
        The alert of the family whose part it is: that one is delivered, not this.
    """

    logical_model: Name
    segment: Segment
    kind: Name
    subject: str
    severity: Severity
    cause: str
    remedy: Remedy
    raised: datetime
    seen: datetime
    version: VersionId | None = None
    evidence: dict[str, float | str | None] = {}
    acknowledged_by: str = ""
    delivered: tuple[str, ...] = ()
    tell: str = ""
    part_of: str = ""

    @property
    def id(self) -> str:
        """The same for the same thing found again: 16 hexadecimal digits."""
        parts = (self.logical_model, self.segment, self.version or "", self.kind, self.subject)
        return sha256("\x1f".join(parts).encode()).hexdigest()[:16]

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        aware = self.raised.tzinfo is not None and self.seen.tzinfo is not None
        self.require(aware, f"raised {self.raised} or seen {self.seen} has no time zone")


class Attempt(Record, frozen=True):
    """A training whose candidate was judged and not made a version.

    Attributes
    ----------
    at
        The moment of the training.
    recipe
        Of the version that there would have been.
    dataset
        Fingerprint of the training data.
    protocol
        How it was judged.
    champion
        Beside whom it was judged; ``None`` where nobody served.
    kpi, champion_kpi
        Of the candidate and of the champion, on the same rows.
    reason
        Why it was not made a version.
    """

    logical_model: Name
    segment: Segment
    at: datetime
    recipe: Digest
    dataset: Digest
    protocol: str
    champion: VersionId | None
    kpi: float | None
    champion_kpi: float | None
    reason: str

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        self.require(self.at.tzinfo is not None, f"at {self.at} has no time zone")
