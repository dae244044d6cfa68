"""Daily sketches on disk: one file for each logical model and day, in place of its events.

A file holds a group for each segment and version. It is written anew when a day is counted again,
and months are the sum of their days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import IntegrityError, Segment, VersionId
from loopcast.monitor.bins import WIDTH, Floats
from loopcast.monitor.sketch import HIGHEST, LOWEST, Sketch
from loopcast.store.files import open_folder

_SUFFIX = ".arrow"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Whose rows a group of a sketch counts.

    Attributes
    ----------
    bins
        Digest of the bins: only equal ones add up.
    """

    segment: Segment
    version: VersionId
    bins: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Day:
    """The sketch of one day, a group for each segment and version."""

    groups: tuple[Group, ...]
    sketch: Sketch


class DailySketches:
    """The daily sketches of every logical model.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def put(self, logical_model: str, day: date, sketched: Day) -> None:
        """Store the sketch of a day, in place of an earlier one."""
        name = f"logical_model={logical_model}/{day.isoformat()}{_SUFFIX}"
        self._folder.write_all({name: day_bytes(sketched)})

    def days(self, logical_model: str) -> tuple[date, ...]:
        """Return the days that are counted, sorted."""
        names = self._folder.names(f"logical_model={logical_model}")
        return tuple(date.fromisoformat(name.removesuffix(_SUFFIX)) for name in names)

    def read(self, logical_model: str, first: date, last: date) -> Iterator[tuple[date, Day]]:
        """Yield the sketches of the days from ``first`` to ``last``, in order.

        Raises
        ------
        IntegrityError
            When a file is damaged.
        """
        for day in self.days(logical_model):
            if first <= day <= last:
                name = f"logical_model={logical_model}/{day.isoformat()}{_SUFFIX}"
                yield day, read_day(self._folder.read(name), self._folder.path(name))

    def total(self, logical_model: str, first: date, last: date) -> Day | None:
        """Return the sum of some days; ``None`` where none of them is counted."""
        groups: tuple[Group, ...] = ()
        totals: Sketch | None = None
        for _, day in self.read(logical_model, first, last):
            if totals is None:
                groups, totals = day.groups, _writable(day.sketch)
                continue
            strange = () if day.groups == groups else _strange(day.groups, groups)
            if strange:
                groups, totals = (*groups, *strange), _widened(totals, len(strange))
            _add_to(totals, day.sketch, _places(groups, day.groups))
        return None if totals is None else Day(groups=groups, sketch=totals)


def _strange(wanted: Sequence[Group], known: Sequence[Group]) -> tuple[Group, ...]:
    places = set(known)
    return tuple(group for group in wanted if group not in places)


def _places(groups: Sequence[Group], wanted: Sequence[Group]) -> NDArray[np.intp] | None:
    """Return where groups are; ``None`` where they are the same in the same order."""
    if groups == wanted:
        return None
    place = {group: number for number, group in enumerate(groups)}
    return np.array([place[group] for group in wanted], dtype=np.intp)


def _writable(found: Sketch) -> Sketch:
    return Sketch(
        counts=found.counts.astype(np.float64),
        squares=found.squares.astype(np.float64),
        moments=found.moments.copy(),
    )


def _widened(totals: Sketch, more: int) -> Sketch:
    moments = np.zeros((more, *totals.moments.shape[1:]))
    moments[..., LOWEST], moments[..., HIGHEST] = np.inf, -np.inf
    counts, squares = (
        np.concatenate([part, np.zeros((more, *part.shape[1:]))])
        for part in (totals.counts, totals.squares)
    )
    return Sketch(counts=counts, squares=squares, moments=np.concatenate([totals.moments, moments]))


def _add_to(totals: Sketch, day: Sketch, places: NDArray[np.intp] | None) -> None:
    """Add a day to totals that nobody else has seen, in place: a year has a third of a billion."""
    to: Any = slice(None) if places is None else places
    totals.counts[to] += day.counts
    totals.squares[to] += day.squares
    low = np.minimum(totals.moments[to][..., LOWEST], day.moments[..., LOWEST])
    high = np.maximum(totals.moments[to][..., HIGHEST], day.moments[..., HIGHEST])
    totals.moments[to] += day.moments
    totals.moments[to, :, LOWEST], totals.moments[to, :, HIGHEST] = low, high


def day_bytes(day: Day) -> bytes:
    """Encode a day as an Arrow file: a row for each group, counts in as few bytes as they need."""
    counts = _narrowed(day.sketch.counts)
    columns = {
        "segment": pa.array([group.segment for group in day.groups], pa.string()),
        "version": pa.array([group.version for group in day.groups], pa.string()),
        "bins": pa.array([group.bins for group in day.groups], pa.string()),
        "counts": _lists(counts),
        "squares": _lists(_narrowed(day.sketch.squares)),
        "moments": _lists(day.sketch.moments),
    }
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _narrowed(values: Floats) -> NDArray[Any]:
    highest = values.max(initial=0.0)
    for kind in (np.uint8, np.uint16, np.uint32):
        if highest <= np.iinfo(kind).max:
            narrow = values.astype(kind)
            return narrow if (narrow == values).all() else values
    return values


def _lists(values: NDArray[Any]) -> pa.FixedSizeListArray:
    flat = np.ascontiguousarray(values).ravel()
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), max(values[0].size, 1))


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
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all().combine_chunks()
        rows = zip(
            *(table[column].to_pylist() for column in ("segment", "version", "bins")), strict=True
        )
        groups = tuple(Group(segment=s, version=v, bins=b) for s, v, b in rows)
        counts, squares, moments = (_values(table[n]) for n in ("counts", "squares", "moments"))
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise IntegrityError(f"{name}: {error}; count the day again") from None
    count = len(groups)
    return Day(
        groups=groups,
        sketch=Sketch(
            counts=counts.reshape(count, -1, WIDTH),
            squares=squares.reshape(count, -1),
            moments=moments.reshape(count, -1, 4),
        ),
    )


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.chunk(0).flatten().to_numpy(zero_copy_only=False))
