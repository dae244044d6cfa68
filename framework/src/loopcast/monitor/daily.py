"""Daily sketches on disk: one file for each logical model and day, in place of its events.

A file holds a group for each segment, version and subpopulation, and the fingerprint of the events
that it counts. It is written anew when these change, and months are the sum of their days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import IntegrityError, Segment, VersionId
from loopcast.monitor.bins import WIDTH, Floats
from loopcast.monitor.odd_keys import OddKeys
from loopcast.monitor.sketch import Sketch
from loopcast.store.files import open_folder

if TYPE_CHECKING:
    from loopcast.store.home import Home

SUMS = "sums"
"""In place of bins: of these rows, only how many there were is known."""

_SUFFIX = ".arrow"
_FINGERPRINT = b"loopcast.events"
_REPEATED = b"loopcast.repeated_by_segment"
_ODD = b"loopcast.odd_keys"
_NAMES = ("segment", "version", "bins", "subset")
_VALUES = ("counts", "squares", "moments", "places")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Whose rows a group of a sketch counts.

    Attributes
    ----------
    bins
        Digest of the bins: only equal ones add up. Empty for a version without a reference, and
        ``SUMS`` for rows of which nothing is known but how many there were.
    subset
        ``attribute=value``; empty for all rows.
    """

    segment: Segment
    version: VersionId
    bins: str
    subset: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """Groups with equally many inputs, over one day.

    Attributes
    ----------
    places : ndarray, shape (groups, inputs)
        Sum of the rows' places in the order of the reference, by which days are told apart.
    rows : ndarray, shape (groups,), int64
        Events, whatever they weigh.
    latency : ndarray, shape (groups,)
        95 % of the answers took no longer, in milliseconds.
    """

    groups: tuple[Group, ...]
    sketch: Sketch
    places: Floats
    rows: NDArray[np.int64]
    latency: Floats

    def take(self, groups: Sequence[int]) -> Part:
        """Return some groups, in the given order."""
        rows = np.asarray(groups, dtype=np.intp)
        return Part(
            groups=tuple(self.groups[i] for i in groups),
            sketch=self.sketch.take(rows),
            places=self.places[rows],
            rows=self.rows[rows],
            latency=self.latency[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Day:
    """The sketch of one day.

    Attributes
    ----------
    fingerprint
        Of the events that it counts.
    repeated
        By segment, events that were logged more than once, and were counted once.
    odd
        Events of a forecast whose key no forecast has.
    """

    parts: tuple[Part, ...]
    fingerprint: str = ""
    repeated: Mapping[Segment, int] = field(default_factory=dict)
    odd: tuple[OddKeys, ...] = ()

    def of(self, segment: Segment) -> Day:
        """Return what is known of one segment."""
        parts = (
            part.take([n for n, group in enumerate(part.groups) if group.segment == segment])
            for part in self.parts
        )
        return replace(
            self,
            parts=tuple(part for part in parts if part.groups),
            repeated={name: count for name, count in self.repeated.items() if name == segment},
            odd=tuple(each for each in self.odd if each.segment == segment),
        )


class DailySketches:
    """The daily sketches of every logical model.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def put(self, logical_model: str, day: date, counted: Day) -> None:
        """Store the sketch of a day, in place of an earlier one."""
        self._folder.write_all({_name(logical_model, day): day_bytes(counted)})

    def days(self, logical_model: str) -> tuple[date, ...]:
        """Return the days that are counted, sorted."""
        names = self._folder.names(f"logical_model={logical_model}")
        return tuple(date.fromisoformat(name.removesuffix(_SUFFIX)) for name in names)

    def fingerprints(self, logical_model: str) -> dict[date, str]:
        """Return the fingerprint of the events that each day counts; none of a damaged file."""
        return {
            day: self._metadata(_name(logical_model, day)).get(_FINGERPRINT, b"").decode()
            for day in self.days(logical_model)
        }

    def read(self, logical_model: str, first: date, last: date) -> Iterator[tuple[date, Day]]:
        """Yield the sketches of the days from ``first`` to ``last``, in order.

        Raises
        ------
        IntegrityError
            When a file is damaged.
        """
        for day in self.days(logical_model):
            if first <= day <= last:
                name = _name(logical_model, day)
                yield day, read_day(self._folder.read(name), self._folder.path(name))

    def odd_keys(self, logical_model: str, first: date, last: date) -> Iterator[OddKeys]:
        """Yield what the days from ``first`` to ``last`` say of odd keys; only that is read."""
        for day in self.days(logical_model):
            if first <= day <= last:
                yield from _odd(self._metadata(_name(logical_model, day)))

    def _metadata(self, name: str) -> Mapping[bytes, bytes]:
        """Return what the end of a file says; nothing where it is damaged."""
        with self._folder.filesystem.open(self._folder.path(name), "rb") as file:
            try:
                return dict(pa.ipc.open_file(pa.PythonFile(file, "r")).schema.metadata or {})
            except pa.ArrowInvalid:
                return {}


def daily_sketches(home: Home) -> DailySketches:
    """Return the daily sketches of a home: they are beside its event log."""
    return DailySketches(f"{home.events_url.rstrip('/')}-daily")


def _name(logical_model: str, day: date) -> str:
    return f"logical_model={logical_model}/{day.isoformat()}{_SUFFIX}"


def day_bytes(day: Day) -> bytes:
    """Encode a day as an Arrow file: a batch for each part, a row for each group.

    Counts take as few bytes as they need.
    """
    kinds = {name: _kind([_array(part, name) for part in day.parts]) for name in _VALUES}
    batches = [_batch(part, kinds) for part in day.parts]
    schema = (batches[0].schema if batches else pa.schema([])).with_metadata(
        {
            _FINGERPRINT: day.fingerprint.encode(),
            _REPEATED: msgspec.json.encode(day.repeated),
            _ODD: msgspec.json.encode(day.odd),
        }
    )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def _array(part: Part, name: str) -> Floats:
    found: Floats = part.places if name == "places" else getattr(part.sketch, name)
    return found


def _batch(part: Part, kinds: Mapping[str, Any]) -> pa.RecordBatch:
    columns = {
        name: pa.array([getattr(group, name) for group in part.groups], pa.string())
        for name in _NAMES
    }
    columns["rows"], columns["latency"] = pa.array(part.rows), pa.array(part.latency)
    columns |= {name: _lists(_array(part, name).astype(kinds[name])) for name in _VALUES}
    return pa.RecordBatch.from_pydict(columns)


def _kind(arrays: Sequence[Floats]) -> Any:
    """Return the smallest type that holds all values exactly."""
    highest = max((values.max(initial=0.0) for values in arrays), default=0.0)
    for kind in (np.uint8, np.uint16, np.uint32):
        if highest <= np.iinfo(kind).max:
            fits = all(_fits(values, kind) for values in arrays)
            return kind if fits else np.float64
    return np.float64


def _fits(values: Floats, kind: Any) -> bool:
    whole = values.min(initial=0.0) >= 0.0
    return bool(whole and np.isfinite(values).all() and (values.astype(kind) == values).all())


def _lists(values: NDArray[Any]) -> pa.ListArray:
    width = values[0].size if len(values) else 0
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * np.int32(width))
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).ravel()))


def read_day(content: bytes, name: str) -> Day:
    """Decode a day.

    Parameters
    ----------
    name
        Of the file, for the message.

    Raises
    ------
    IntegrityError
        When it is damaged.
    """
    try:
        file = pa.ipc.open_file(pa.BufferReader(content))
        parts = tuple(_part(file.get_batch(i)) for i in range(file.num_record_batches))
        metadata = dict(file.schema.metadata or {})
        return Day(
            parts=parts,
            fingerprint=metadata[_FINGERPRINT].decode(),
            repeated=_repeated(metadata),
            odd=_odd(metadata),
        )
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise IntegrityError(f"{name}: {error}; count the day again") from None


def _repeated(metadata: Mapping[bytes, bytes]) -> dict[Segment, int]:
    """Return the repeats of a day; one from before they were counted by segment has none."""
    return msgspec.json.decode(metadata.get(_REPEATED, b"{}"), type=dict[Segment, int])


def _odd(metadata: Mapping[bytes, bytes]) -> tuple[OddKeys, ...]:
    """Return what a day says of odd keys; one from before they were counted has none."""
    return msgspec.json.decode(metadata.get(_ODD, b"[]"), type=tuple[OddKeys, ...])


def _part(batch: pa.RecordBatch) -> Part:
    groups = _groups(bytes(batch.select(list(_NAMES)).serialize()))
    counts, squares, moments, places = (_values(batch.column(n)) for n in _VALUES)
    count = len(groups)
    inputs, numbers = len(places) // max(count, 1), len(moments) // max(4 * count, 1)
    return Part(
        groups=groups,
        sketch=Sketch(
            counts=counts.reshape(count, inputs, WIDTH),
            squares=squares.reshape(count, inputs),
            moments=moments.reshape(count, numbers, 4),
        ),
        places=places.reshape(count, inputs),
        rows=batch.column("rows").to_numpy(),
        latency=batch.column("latency").to_numpy(zero_copy_only=False),
    )


@lru_cache(maxsize=4)
def _groups(names: bytes) -> tuple[Group, ...]:
    """Decode groups; days mostly have the same as the day before, which then are one object."""
    schema = pa.schema([(name, pa.string()) for name in _NAMES])
    columns = pa.ipc.read_record_batch(pa.py_buffer(names), schema).columns
    return tuple(
        Group(**dict(zip(_NAMES, row, strict=True)))
        for row in zip(*(column.to_pylist() for column in columns), strict=True)
    )


def _values(column: pa.ListArray) -> NDArray[Any]:
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False))
