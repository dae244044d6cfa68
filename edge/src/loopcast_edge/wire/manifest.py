"""The manifest of a package: what it is, how it is fed, tested and judged."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Optional

import msgspec

from loopcast_edge.wire.batches import MOST_VALUES
from loopcast_edge.wire.codec import (
    Column,
    Count,
    Digest,
    Finite,
    Hex16,
    Message,
    Name,
    Ordinal,
    Part,
    Segment,
    Sentence,
    Squared,
    Text,
    Time,
    VersionId,
)
from loopcast_edge.wire.correction import Correction
from loopcast_edge.wire.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Tensor(Part, frozen=True):
    """An array of float32.

    Attributes
    ----------
    shape
    data
        Little-endian float32, row after row.
    """

    shape: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=4)]
    data: bytes

    def __post_init__(self) -> None:
        if 4 * math.prod(self.shape) != len(self.data):
            raise ValueError(f"{len(self.data)} bytes are no float32 of shape {self.shape}")

    @classmethod
    def of(cls, array: NDArray[np.floating]) -> Tensor:
        """Return an array of any precision as float32."""
        return cls(shape=array.shape, data=array.astype("<f4").tobytes())

    def array(self) -> NDArray[np.float32]:
        """Return the array, which cannot be written to."""
        import numpy as np

        return np.frombuffer(self.data, dtype="<f4").reshape(self.shape)


class Golden(Part, frozen=True):
    """What a model must answer before it is activated.

    Attributes
    ----------
    features, output
        Inputs, shape (rows, n), and what is expected, shape (rows, m).
    state, next_state
        Of a model with state, shape (1, k): what goes in with the rows, and what must come out.
    absolute, relative
        Each output may be off by no more than absolute + relative · |expected|.
    """

    features: Tensor
    output: Tensor
    state: Optional[Tensor] = None
    next_state: Optional[Tensor] = None
    absolute: Squared = 0.0
    relative: Squared = 1e-5

    def __post_init__(self) -> None:
        if len(self.features.shape) != 2 or len(self.output.shape) != 2:
            raise ValueError("golden features and output have to be of two dimensions")
        if self.features.shape[0] != self.output.shape[0]:
            raise ValueError(
                f"{self.features.shape[0]} golden rows have {self.output.shape[0]} answers"
            )
        if (self.state is None) != (self.next_state is None):
            raise ValueError("a golden state goes in and comes out, or there is none")


class Output(Part, frozen=True, omit_defaults=True):
    """One column of a model's output.

    Attributes
    ----------
    name
        As events name it: the quantity (``mean``, ``probability``), or a place of a list.
    series
        Of a forecast, the series that it is of: the key of its events is
        ``series|step|start of the interval``.
    lead
        The interval that it is about, so many after that of the row.
    minimum, maximum
        An answer outside is no answer: the fallback is used, and the health check fails.
    place_in
        A step of the recipe with known texts: the answer is a place among these, from 0, and what
        is said is the text, and nothing for −1. All places have bounds within these.
    beside
        An output with a ``place_in``: nothing is said where nothing is said there, as by the score
        of an item that there is none of.
    """

    name: Column
    series: Text = ""
    lead: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 0
    unit: Text = ""
    minimum: Optional[Finite] = None
    maximum: Optional[Finite] = None
    place_in: Optional[Column] = None
    beside: Optional[Column] = None


class Interval(Part, frozen=True):
    """A prediction interval: output − below to output + above.

    Attributes
    ----------
    coverage
        Probability with which the outcome is inside.
    below, above
        For each output, in its unit.
    """

    coverage: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
    below: tuple[Squared, ...]
    above: tuple[Squared, ...]


class Profile(Part, frozen=True):
    """What is said when no model can answer: usual values by the place in the local week.

    Attributes
    ----------
    zone
        IANA name of local time.
    values
        Shape (slots, outputs). The week from Monday's midnight is divided into equal slots.
    """

    zone: Text
    values: Tensor

    def __post_init__(self) -> None:
        if len(self.values.shape) != 2 or self.values.shape[0] < 1:
            raise ValueError("a profile has two dimensions: slots and outputs")


class ReferenceColumn(Part, frozen=True):
    """The bins of one input, output or error, as the version's reference has them.

    A number belongs to the first bin whose upper end it does not exceed, and to the one after them
    where it exceeds all. A text belongs to the bin of its place among the known ones, and to the
    one after them where it is none. The last bin is for what is missing.

    Attributes
    ----------
    name
        As the reference names it: an input by its name, an output as ``output.mean``.
    kind
        Whether its values are numbers or texts.
    edges
        Upper ends of the bins of a number, ascending, but for the last, which has none.
    centre
        Of a number: about which moments are taken.
    known
        Of a category: its texts.
    """

    name: Column
    kind: Literal["number", "category"] = "number"
    edges: Annotated[tuple[Finite, ...], msgspec.Meta(max_length=61)] = ()
    centre: Finite = 0.0
    known: Annotated[tuple[Text, ...], msgspec.Meta(max_length=61)] = ()

    @property
    def bins(self) -> int:
        """How many bins it has: with that of all else, and the last one of missing values."""
        return max(len(self.edges), len(self.known)) + 2

    def __post_init__(self) -> None:
        if self.known if self.kind == "number" else self.edges:
            raise ValueError(f"{self.name}: a number has edges, and a category known texts")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:])):
            raise ValueError(f"{self.name}: edges do not ascend")


class DriftReference(Part, frozen=True):
    """Where a device counts what it sees.

    Attributes
    ----------
    digest
        Names the bins at the centre.
    columns
        Numbers first, as in the reference of the version.
    error
        Bins of errors, prediction minus outcome; ``None`` where outcomes are not seen.
    """

    digest: Hex16
    columns: Annotated[tuple[ReferenceColumn, ...], msgspec.Meta(max_length=256)]
    error: Optional[ReferenceColumn] = None

    def __post_init__(self) -> None:
        kinds = [column.kind for column in self.columns]
        if kinds != sorted(kinds, reverse=True):
            raise ValueError("a number comes after a category")
        if self.error is not None and self.error.kind != "number":
            raise ValueError("errors are numbers")

    @property
    def counted(self) -> tuple[ReferenceColumn, ...]:
        """All that is counted, in the order of a sketch: numbers, categories, and the error."""
        return self.columns if self.error is None else (*self.columns, self.error)


class Trial(Part, frozen=True):
    """When a new package is kept, and when the device goes back by itself.

    Attributes
    ----------
    seconds
        How long it is on trial at least.
    predictions
        How many predictions it must have made.
    outcomes
        How many of them must have an outcome; with 0, errors do not count.
    error_ratio
        Its mean absolute error may be so many times that of the package before, on the same
        predictions, or of ``error_limit`` where there is none before.
    error_limit
        Mean absolute error, in the unit of the output, above which it is not kept.
    fallback_share
        Share of predictions that it may fail to make.
    """

    seconds: Count = 86_400
    predictions: Count = 10
    outcomes: Count = 0
    error_ratio: Optional[Squared] = None
    error_limit: Optional[Squared] = None
    fallback_share: Share = 0.1


class Manifest(Message, frozen=True, tag="manifest"):
    """What a package is, how it is fed and judged, and which file belongs to it.

    Attributes
    ----------
    sequence
        Grows with each package of a logical model and segment; a device takes no lower one than
        it accepted before, unless a signed order names it.
    created, expires
        After ``expires`` it is not activated; one that runs goes on running.
    runtimes
        The least version of each runtime that can run it, by ``litert`` (LiteRT) and
        ``tflite_runtime``: ``{"litert": "1.3.0"}``. A runtime that is not named cannot.
    file, size
        Digest and size in bytes of the ``.tflite`` file.
    recipe
        What goes into the model.
    outputs
        What comes out. Those of one series and interval, with two bounds for each of
        ``intervals``, are the outputs of one event.
    golden
        Tested before each activation.
    state
        Values of a model's state, with which it begins; ``None`` for a model without.
    correction
        What is learned of the residuals, and added to the outputs, which are of one series then.
    """

    most_bytes: ClassVar[int] = 262_144

    logical_model: Name
    segment: Segment
    version: VersionId
    sequence: Ordinal
    created: Time
    expires: Time
    runtimes: Annotated[dict[Name, Text], msgspec.Meta(min_length=1, max_length=8)]
    file: Digest
    size: Annotated[int, msgspec.Meta(ge=1, le=2**28)]
    recipe: Recipe
    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    golden: Annotated[tuple[Golden, ...], msgspec.Meta(min_length=1, max_length=64)]
    state: Optional[Tensor] = None
    intervals: Annotated[tuple[Interval, ...], msgspec.Meta(max_length=16)] = ()
    profile: Optional[Profile] = None
    reference: Optional[DriftReference] = None
    trial: Trial = Trial()
    correction: Optional[Correction] = None
    note: Sentence = ""

    def __post_init__(self) -> None:
        if self.expires <= self.created:
            raise ValueError(f"expires at {self.expires}, not after it was created")
        together = Counter((output.series, output.lead) for output in self.outputs)
        values = max(together.values()) + 2 * len(self.intervals)
        if values > MOST_VALUES:
            raise ValueError(
                f"{values} outputs are of one series and interval, with their bounds; an event has "
                f"space for {MOST_VALUES}"
            )
        n, m = len(self.recipe.columns), len(self.outputs)
        for golden in self.golden:
            if (golden.features.shape[1], golden.output.shape[1]) != (n, m):
                raise ValueError(f"golden rows do not have {n} features and {m} outputs")
            if (golden.state is None) != (self.state is None):
                raise ValueError("golden rows have a state, and the model none, or the reverse")
        for interval in self.intervals:
            if (len(interval.below), len(interval.above)) != (m, m):
                raise ValueError(f"an interval does not have a half-width for each of {m} outputs")
        if self.correction is not None and len({output.series for output in self.outputs}) > 1:
            raise ValueError("a correction is of one series")
        if self.profile is not None and self.profile.values.shape[1] != m:
            raise ValueError(f"the profile does not have a value for each of {m} outputs")
        places = {_spot(each, each.name) for each in self.outputs if each.place_in is not None}
        for output in self.outputs:
            _check_place(output, self.recipe)
            if output.beside is not None and _spot(output, output.beside) not in places:
                raise ValueError(f"{output.name} is beside {output.beside!r}, which is no place")


def _spot(output: Output, name: str) -> tuple[str, int, str]:
    """Return the series and interval of an output, with a name there."""
    return output.series, output.lead, name


def _check_place(output: Output, recipe: Recipe) -> None:
    """Refuse a place that could be of no text, or of one that is several in a list by lines."""
    if output.place_in is None:
        return
    known = recipe.known(output.place_in)
    if not known:
        raise ValueError(f"{output.name}: no step {output.place_in!r} of the recipe knows texts")
    if any("\n" in text for text in known):
        raise ValueError(f"{output.name}: a text of {output.place_in} has a line break")
    if output.minimum is None or output.maximum is None:
        raise ValueError(f"{output.name} is a place, and has no bounds")
    if output.minimum < -1 or output.maximum > len(known) - 1:
        raise ValueError(f"{output.name}: places are within -1 and {len(known) - 1}")
