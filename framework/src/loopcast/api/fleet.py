"""Records of the way out: devices, packages, and rollouts of packages onto devices."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec

from loopcast.api.record import (
    Digest,
    Name,
    NonNegative,
    OpenShare,
    Positive,
    Record,
    Segment,
    VersionId,
)

DeviceName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
"""The name of a device: also its user name at the broker and its certificate's common name."""

Labels = Mapping[str, str]
"""What is known of a device: ``{"region": "north", "ring": "early"}``."""

CohortShare = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Hours = Annotated[float, msgspec.Meta(gt=0.0)]

RING = "ring"
"""The label that says how early a device takes part."""


class Device(Record, frozen=True):
    """An edge agent that is enrolled.

    Attributes
    ----------
    labels
        What rollouts select by; groups of devices are labels too.
    certificate
        SHA-256 of the certificate that it shows the broker; ``None`` where somebody else signs.
    revoked
        Since when it may no longer take part.
    """

    name: DeviceName
    enrolled: datetime
    labels: dict[str, str] = {}
    certificate: Digest | None = None
    revoked: datetime | None = None

    def check(self) -> None:
        """A time without a zone could mean two different moments."""
        self.require(self.enrolled.tzinfo is not None, f"enrolled {self.enrolled} has no time zone")


class Package(Record, frozen=True):
    """What a device receives: a version's .tflite file under a signed manifest.

    Attributes
    ----------
    sequence
        Grows with every package of a logical model and segment; a device never goes back
        unless a signed order names the package.
    manifest
        Digest of the manifest's bytes, by which devices find it.
    envelope
        Digest of the manifest with its signatures, as it is sent.
    model, size
        Digest and bytes of the model file.
    expires
        After this moment the package is not activated.
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    sequence: Positive
    manifest: Digest
    envelope: Digest
    model: Digest
    size: Positive
    created: datetime
    expires: datetime

    def check(self) -> None:
        """Moments are unambiguous, and the package lives for a while."""
        aware = self.created.tzinfo is not None and self.expires.tzinfo is not None
        self.require(aware, f"created {self.created} or expires {self.expires} has no time zone")
        self.require(self.created < self.expires, f"expires {self.expires} before it is created")


class ErrorTest(Record, frozen=True):
    """How it is shown that the realised error of a package is no worse than the champion's.

    Attributes
    ----------
    margin
        How much larger the mean absolute error may be at most, as a share of the champion's.
    significance
        Probability of passing a package that is worse than the margin, over all looks of a stage.
    pairs
        Paired outcomes that a device must have at the first look; twice as many at each later one.
    looks
        How often a stage is looked at; what is not shown then is not shown.
    devices
        How many devices a look needs.
    """

    margin: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.05
    significance: OpenShare = 0.05
    pairs: Positive = 48
    looks: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    devices: Annotated[int, msgspec.Meta(ge=3)] = 3


class Rollout(Record, frozen=True):
    """A staged move of a package onto devices, declared before it begins.

    Attributes
    ----------
    sequence
        Of the package, which its logical model and segment have numbered.
    select
        Labels that a device must have to take part; all devices where empty.
    cohorts
        Growing shares of the devices; the first is the canary, the last is 1. Empty where the
        devices are divided by ``rings``.
    rings
        Values of the label ``ring`` in the order in which they take part; devices of other
        rings, and of none, come last.
    enough
        The share of the devices reached so far that must run the package and be well before a
        stage is over.
    tolerated
        The share of them that may fail; with more, the rollout stops.
    hold_hours
        How long each stage lasts at least.
    deadline_hours
        How long a stage waits for devices that are silent and for errors that are not known; then
        the rollout stops, so that no stage is under way for ever.
    test
        How errors are compared; ``None``: by health alone.
    """

    name: Name
    logical_model: Name
    segment: Segment
    sequence: Positive
    cohorts: tuple[CohortShare, ...] = ()
    rings: tuple[str, ...] = ()
    select: dict[str, str] = {}
    enough: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.9
    tolerated: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.05
    hold_hours: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    deadline_hours: Hours = 24.0
    test: ErrorTest | None = ErrorTest()

    def check(self) -> None:
        """Devices are divided in one way, and all of them are reached."""
        self.require(
            bool(self.cohorts) != bool(self.rings),
            "give either cohorts, growing shares such as [0.05, 0.5, 1.0], or rings",
        )
        growing = all(a < b for a, b in itertools.pairwise(self.cohorts))
        ends = not self.cohorts or self.cohorts[-1] == 1.0
        self.require(growing and ends, f"cohorts {self.cohorts} do not grow to 1.0")
        self.require(
            len(set(self.rings)) == len(self.rings), f"rings {self.rings} name one of them twice"
        )
        self.require(
            self.enough + self.tolerated <= 1.0 + 1e-9,
            f"enough {self.enough} and tolerated {self.tolerated} are more than all devices",
        )
        self.require(self.hold_hours < self.deadline_hours, "hold_hours reach the deadline")


RolloutAct = Literal["begin", "look", "advance", "complete", "pause", "resume", "stop", "abort"]


class RolloutStep(Record, frozen=True):
    """What was done with a rollout, by a rule or a person.

    Attributes
    ----------
    act
        ``look``: errors were compared and nothing was shown yet; ``stop``: by a rule;
        ``abort``: by a person. Both take the devices back.
    reason
        In a sentence.
    evidence
        The numbers behind it.
    """

    act: RolloutAct
    at: datetime
    by: str
    reason: str
    evidence: dict[str, float] = {}

    def check(self) -> None:
        """Someone did it for a reason, at one moment."""
        self.require(self.at.tzinfo is not None, f"at {self.at} has no time zone")
        self.require(bool(self.by.strip()), "name who does it")
        self.require(bool(self.reason.strip()), "say why")


Health = Literal["healthy", "failed", "waiting"]
HEALTHS: tuple[Health, ...] = get_args(Health)


class Observed(Record, frozen=True):
    """What is known of a device that a rollout has reached.

    Attributes
    ----------
    health
        ``healthy``: it runs the package and says that it is well; ``failed``: it refused the
        package, went back, or is unwell; ``waiting``: anything else.
    reason
        Of a failure.
    pairs
        Outcomes that both the package and the champion before it were compared with.
    error, champion_error
        Sums of their absolute errors over these.
    """

    health: Health
    reason: str = ""
    pairs: NonNegative = 0
    error: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    champion_error: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
