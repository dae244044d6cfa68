"""The lists of all segments in one file that is read by look-up (:mod:`loopcast.serve.lookup`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.serve.lookup import (
    FIELD,
    KEY_BYTES,
    MAP_BYTES,
    NEWCOMER,
    SEPARATOR,
    UNANSWERED,
    key,
)

if TYPE_CHECKING:
    from loopcast.api import Segment
    from loopcast.serve.lists import Lists

MADE = "%Y%m%dT%H%M%S.%f"
"""How an entry, and the id of a recommendation, has the moment of its events, in UTC."""

_AT_ONCE = 1_024
"""Entries that are Python's at one time: as few as stay near the processor."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Entries:
    """Entries of the file.

    Attributes
    ----------
    keys, values : Array of bytes, shape (entries,)
    """

    keys: pa.Array
    values: pa.Array


def entries(lists: Lists | None, made: datetime, unanswered: Mapping[Segment, str]) -> Entries:
    """Return lists as entries, or why a segment has none.

    Parameters
    ----------
    lists
        ``None`` where no segment has any.
    unanswered
        Why each of the other segments has none.
    """
    moment = made.astimezone(UTC).strftime(MADE).encode()
    others = unanswered.items()
    keys = pa.array([key(segment, NEWCOMER) for segment, _ in others], pa.large_binary())
    said = [(moment, b"", UNANSWERED.encode(), why.encode(), b"", b"") for _, why in others]
    values = pa.array([FIELD.join(fields) for fields in said], pa.large_binary())
    if lists is None:
        return Entries(keys=keys, values=values)
    return Entries(
        keys=pa.concat_arrays([_keys(lists), keys]),
        values=pa.concat_arrays([_values(lists, moment), values]),
    )


def _keys(lists: Lists) -> pa.Array:
    """Return the keys of lists, as :func:`~loopcast.serve.lookup.key` has them."""
    names = (column.cast(pa.large_binary()) for column in (lists.segment, lists.entity))
    plain = _join(*names, SEPARATOR)
    long = pc.greater(pc.binary_length(plain), KEY_BYTES)
    if not pc.any(long).as_py():
        return plain
    named = (column.filter(long).to_pylist() for column in (lists.segment, lists.entity))
    return pc.replace_with_mask(plain, long, pa.array(map(key, *named), pa.large_binary()))


def _values(lists: Lists, moment: bytes) -> pa.Array:
    ends = np.append(0, np.cumsum(lists.counts, dtype=np.int64)) * 4
    # What is pinned is where it is whatever its score; who reads the file goes by that.
    scores = lists.scores if lists.pinned is None else np.where(lists.pinned, np.nan, lists.scores)
    packed = pa.Array.from_buffers(
        pa.large_binary(),
        len(lists.counts),
        [None, pa.py_buffer(ends), pa.py_buffer(scores.astype("<f4"))],
    )
    texts = (
        pc.fill_null(column.cast(pa.large_binary()), b"")
        for column in (lists.version, lists.action, lists.reason, lists.items)
    )
    return _join(moment, *texts, packed, FIELD)


def _join(*parts: bytes | pa.Array) -> pa.Array:
    """Join bytes element by element, the last part between all others."""
    kind = pa.large_binary()
    arrays = (pa.scalar(part, kind) if isinstance(part, bytes) else part for part in parts)
    return pc.binary_join_element_wise(*arrays)


class ListFile:
    """A file of lists that grows by batches and appears whole, when the last one is written.

    Parameters
    ----------
    path
        Where it appears; on an error nothing does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")

    def __enter__(self) -> Self:
        self._part.unlink(missing_ok=True)
        self._lists = lmdb.open(
            str(self._part), map_size=MAP_BYTES, subdir=False, lock=False, sync=False
        )
        return self

    def write(self, found: Entries) -> None:
        """Add the lists of some segments."""
        with self._lists.begin(write=True) as writing:
            for first in range(0, len(found.keys), _AT_ONCE):
                part = (each.slice(first, _AT_ONCE) for each in (found.keys, found.values))
                pairs = zip(*(each.to_pylist() for each in part), strict=True)
                writing.cursor().putmulti(pairs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lists.sync(True)
        self._lists.close()
        if error is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()
