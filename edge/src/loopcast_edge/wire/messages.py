"""Messages between the centre and a device, but for packages, their keys and their files."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Optional

import msgspec

from loopcast_edge.wire.codec import (
    Count,
    Digest,
    Finite,
    Message,
    Name,
    Ordinal,
    Part,
    Segment,
    Sentence,
    Squared,
    Text,
    Time,
)
from loopcast_edge.wire.trust import Signed

Role = Literal["champion", "shadow"]
Stage = Literal["fetching", "verifying", "trial", "running", "refused", "returned"]


class Assignment(Part, frozen=True):
    """A package that a device is to run.

    Attributes
    ----------
    manifest
        Digest of the bytes of the manifest, by which it is found and named.
    role
        A ``shadow`` predicts beside the champion, and nobody uses what it says.
    """

    logical_model: Name
    segment: Segment
    manifest: Digest
    role: Role = "champion"


class Desired(Message, frozen=True, tag="desired"):
    """What a device is to run: all of it, in place of whatever was desired before.

    It needs no signature: each manifest that it names is signed, and so is each order to go back.

    Attributes
    ----------
    sequence
        Grows with each change; a device ignores one that is lower than it has seen.
    rollbacks
        Envelopes of orders (``RollbackOrder``) that allow a package older than one that was
        accepted before.
    """

    most_bytes: ClassVar[int] = 32_768

    sequence: Ordinal
    packages: Annotated[tuple[Assignment, ...], msgspec.Meta(max_length=64)] = ()
    rollbacks: Annotated[tuple[Signed, ...], msgspec.Meta(max_length=8)] = ()

    def __post_init__(self) -> None:
        champions = [
            (each.logical_model, each.segment) for each in self.packages if each.role == "champion"
        ]
        if len(set(champions)) < len(champions):
            raise ValueError("two champions of one logical model and segment")


class Order(Message, frozen=True, tag="order"):
    """Something to do once, now; it can do no harm, and is not signed.

    Attributes
    ----------
    do
        ``report`` the state at once; ``retry`` packages that were refused or returned; ``resend``
        what no receipt has named.
    """

    do: Literal["report", "retry", "resend"]


class Errors(Part, frozen=True):
    """Errors of predictions against ground truth, in the unit of the output.

    Attributes
    ----------
    n
        How many predictions have an outcome.
    total, absolute, squares
        Sum of the errors (prediction minus outcome), of their absolutes and of their squares.
    """

    n: Count = 0
    total: Finite = 0.0
    absolute: Squared = 0.0
    squares: Squared = 0.0


class Paired(Part, frozen=True):
    """Errors of two packages on the same predictions.

    Attributes
    ----------
    other
        Digest of the manifest of the package that is compared with.
    mine, others
        Errors of either.
    difference, difference_squares
        Sum of the differences of absolute errors (mine less the other's), and of their squares.
    """

    other: Digest
    mine: Errors
    others: Errors
    difference: Finite = 0.0
    difference_squares: Squared = 0.0


class PackageState(Part, frozen=True):
    """How a package does on a device.

    Attributes
    ----------
    stage
        ``refused`` was never activated; ``returned`` was, and the device went back by itself.
    reason
        Why it was refused or returned; empty otherwise.
    since
        When it entered this stage, by the clock of the device.
    received, chunks
        Chunks of its file that are there, and that there are.
    predictions, fallbacks
        Since it was activated: how many, and how many of them were not by the model.
    crashes
        Times that the runtime died with it.
    slowest_us
        95 % of predictions took no longer, in microseconds.
    errors
        Since it was activated, against ground truth.
    paired
        The same beside another package: a shadow beside the champion, or a package on trial
        beside the one before.
    """

    logical_model: Name
    segment: Segment
    manifest: Digest
    role: Role
    stage: Stage
    since: Time
    reason: Sentence = ""
    received: Count = 0
    chunks: Count = 0
    predictions: Count = 0
    fallbacks: Count = 0
    crashes: Count = 0
    slowest_us: Count = 0
    errors: Errors = Errors()
    paired: Optional[Paired] = None


class Reported(Message, frozen=True, tag="reported"):
    """What a device runs, and how it does.

    Attributes
    ----------
    agent, runtime
        Names and versions of the agent and of what runs models: ``litert 2.3.0``.
    at
        When it was written, by the clock of the device.
    sequence
        Of the :class:`Desired` that it has last accepted; 0 for none.
    root
        Version of the newest root of keys that it trusts.
    pending
        Batches that no receipt has named.
    """

    most_bytes: ClassVar[int] = 65_536

    agent: Text
    runtime: Text
    at: Time
    sequence: Count = 0
    root: Count = 0
    pending: Count = 0
    packages: Annotated[tuple[PackageState, ...], msgspec.Meta(max_length=128)] = ()


class Presence(Message, frozen=True, tag="presence"):
    """Whether a device is connected; the broker publishes its last will, offline, when it is lost.

    Attributes
    ----------
    since
        When it connected, by its own clock; the will says the same.
    """

    online: bool
    since: Time
