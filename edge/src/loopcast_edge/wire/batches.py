"""What a device sends upward once, and keeps until a receipt names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, TypeVar, Union

import msgspec

from loopcast_edge.wire.codec import (
    Column,
    Count,
    Day,
    Finite,
    Hex16,
    Message,
    Name,
    Ordinal,
    Part,
    Segment,
    Squared,
    Text,
    Time,
    VersionId,
)
from loopcast_edge.wire.messages import Errors, Role

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Value = Union[Finite, Text, None]
Choices = Annotated[str, msgspec.Meta(max_length=4096)]
"""A text, or several, a text a line."""

Place = Annotated[int, msgspec.Meta(ge=0, le=255)]
Known = TypeVar("Known")
MOST_VALUES = 512
"""Inputs, and outputs with their bounds, of one event."""
Columns = Annotated[tuple[Column, ...], msgspec.Meta(max_length=MOST_VALUES)]


class Source(Part, frozen=True):
    """What made events: named once for the whole batch.

    Attributes
    ----------
    inputs, outputs
        Names of the values of each event, in their order.
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    role: Role = "champion"
    inputs: Columns = ()
    outputs: Columns = ()


class EdgeEvent(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One prediction as it happened, sent as an array of these fields.

    Attributes
    ----------
    source
        Place of its source in the batch.
    key
        Joins it to its ground truth.
    time
        When it was made.
    inputs, outputs
        Values by the names of the source; nil where missing.
    action
        ``served``; ``withheld`` of a shadow; ``fallback`` where the model did not answer, and
        ``refused`` where nothing did.
    latency_us
        Microseconds from measurement to prediction.
    """

    source: Place
    key: Key
    time: Time
    inputs: Annotated[tuple[Value, ...], msgspec.Meta(max_length=MOST_VALUES)] = ()
    outputs: Annotated[tuple[Value, ...], msgspec.Meta(max_length=MOST_VALUES)] = ()
    action: Literal["served", "withheld", "fallback", "refused"] = "served"
    latency_us: Count = 0


class Condensed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Events or outcomes that had to give way to newer ones, sent as an array of these fields.

    Attributes
    ----------
    source
        Place of their source in the batch.
    start, end
        The first's and the last's time.
    count
        How many they were.
    sums
        Sum of each output (of known values), or of the outcome.
    """

    source: Place
    start: Time
    end: Time
    count: Ordinal
    sums: Annotated[tuple[Finite, ...], msgspec.Meta(max_length=MOST_VALUES)] = ()


class Batch(Message, frozen=True, kw_only=True):
    """What a device keeps until a receipt names it.

    Attributes
    ----------
    outbox
        Drawn at random when the outbox of the device was made.
    sequence
        Number of the batch in it. Device, outbox and sequence name a batch for ever: the centre
        stores it once, and the device sends the same bytes until a receipt has it.
    """

    most_bytes: ClassVar[int] = 262_144

    outbox: Hex16
    sequence: Ordinal


class EventBatch(Batch, frozen=True, tag="events"):
    """Predictions, in the order in which they happened."""

    sources: Annotated[tuple[Source, ...], msgspec.Meta(max_length=256)]
    events: Annotated[tuple[EdgeEvent, ...], msgspec.Meta(max_length=2000)] = ()
    condensed: Annotated[tuple[Condensed, ...], msgspec.Meta(max_length=2000)] = ()

    def __post_init__(self) -> None:
        for number, event in enumerate(self.events):
            source = _named(self.sources, event.source, f"event {number}")
            widths = len(event.inputs), len(event.outputs)
            expected = len(source.inputs), len(source.outputs)
            if widths != expected:
                raise ValueError(
                    f"event {number} has {widths} inputs and outputs; its source names {expected}"
                )
        for number, sums in enumerate(self.condensed):
            _named(self.sources, sums.source, f"condensed {number}")


class Subject(Part, frozen=True):
    """What outcomes are of."""

    logical_model: Name
    segment: Segment


class Outcome(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What came true, sent as an array of these fields.

    Attributes
    ----------
    subject
        Place of its logical model and segment in the batch.
    key
        Of the prediction.
    observed
        When it became known.
    value
        Several choices are a text, a choice a line.
    """

    subject: Place
    key: Key
    observed: Time
    value: Union[Finite, Choices]


class TruthBatch(Batch, frozen=True, tag="truth"):
    """Outcomes that a device has seen itself."""

    subjects: Annotated[tuple[Subject, ...], msgspec.Meta(max_length=256)]
    outcomes: Annotated[tuple[Outcome, ...], msgspec.Meta(max_length=4000)] = ()
    condensed: Annotated[tuple[Condensed, ...], msgspec.Meta(max_length=2000)] = ()

    def __post_init__(self) -> None:
        for number, outcome in enumerate(self.outcomes):
            _named(self.subjects, outcome.subject, f"outcome {number}")
        for number, sums in enumerate(self.condensed):
            _named(self.subjects, sums.source, f"condensed {number}")


class SketchDay(Batch, frozen=True, tag="sketch"):
    """What a day of a package was like, in a few hundred bytes: see ``sketch``.

    Attributes
    ----------
    day
        Days since 1970-01-01 in UTC.
    bins
        Digest of the bins of the manifest's reference: only counts of equal bins add up. Zeros
        where it has none: then nothing is in ``counts`` and ``moments``.
    rows
        Predictions that are counted.
    counts
        Of all bins of all columns, in Golomb–Rice code.
    moments
        Of each number (the error too), four little-endian float32: sums of x − c and of (x − c)²
        about the centre of its bins, lowest and highest value.
    slowest_us
        95 % of predictions took no longer, in microseconds.
    errors
        Against the outcomes that are known.
    """

    most_bytes: ClassVar[int] = 32_768

    logical_model: Name
    segment: Segment
    version: VersionId
    role: Role
    day: Day
    bins: Hex16
    rows: Count
    counts: bytes
    moments: bytes
    slowest_us: Count = 0
    errors: Errors = Errors()


class Update(Batch, frozen=True, tag="update"):
    """What a device adds to a correction that the fleet learns together, without its data.

    Each is of rows that no other one of the device is of.

    Attributes
    ----------
    zone, clip
        As the manifest's correction has them.
    inputs
        Names of the p inputs x, in order.
    n
        Rows.
    gram
        Upper triangle of Σ x xᵀ by rows, p (p + 1) / 2 numbers.
    cross
        Σ x r, p numbers.
    squares
        Σ r².
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    zone: Text
    clip: Squared
    inputs: Columns
    n: Ordinal
    gram: tuple[Finite, ...]
    cross: tuple[Finite, ...]
    squares: Squared

    def __post_init__(self) -> None:
        p = len(self.inputs)
        if (len(self.gram), len(self.cross)) != (p * (p + 1) // 2, p):
            raise ValueError(f"{p} inputs have {p * (p + 1) // 2} products and {p} sums")


class Receipt(Message, frozen=True, tag="receipt"):
    """Which batches of a device the centre has stored for good."""

    outbox: Hex16
    stored: Annotated[tuple[Ordinal, ...], msgspec.Meta(min_length=1, max_length=1000)]


def _named(known: Sequence[Known], place: int, what: str) -> Known:
    if place >= len(known):
        raise ValueError(f"{what} is of number {place}, and the batch names {len(known)}")
    return known[place]
