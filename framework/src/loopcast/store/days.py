"""Files of one day: appended ones, and compacted ones that stand for them.

Appended files are named by their content. A compacted file, a *generation*, is named by its
number and lists in its metadata the names of all files that it stands for, the generation before
it included. The newest generation and the appended files that it does not list are the day; so

- readers see each row once, whether or not the files that a generation stands for are still there;
- of two processes that compact at once, one creates the next generation and the other does not;
- an append that is repeated after a crash has the name of the file that was compacted.

Files that a generation stands for are removed only when the generation is old enough, for readers
that have listed them before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from loopcast.api import NotFoundError, StoreError
from loopcast.store.files import GRACE, Folder

T = TypeVar("T")

ROW_GROUP = 500_000
ATTEMPTS = 20

_GENERATION = re.compile(r"generation-(\d{6})\.parquet")
_REPLACED = b"loopcast.replaced"


@dataclass(frozen=True, kw_only=True)
class Day:
    """The files of a day that readers read.

    Attributes
    ----------
    folder
        Name of the day's folder.
    generation
        Number of the newest generation; 0 where there is none.
    files
        Names of the live files in the folder, the generation first.
    replaced
        Names of the files that the generation stands for.
    """

    folder: str
    generation: int
    files: tuple[str, ...]
    replaced: frozenset[str]

    @property
    def fingerprint(self) -> str:
        """Names what was ever appended: it changes with an append, and with no compaction."""
        names = self.replaced | {*self.files}
        appended = sorted(name for name in names if _GENERATION.fullmatch(name) is None)
        return sha256("\n".join(appended).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """What a compaction did: days and files merged, files removed."""

    days: int = 0
    merged: int = 0
    removed: int = 0

    def __add__(self, other: Compaction) -> Compaction:
        return Compaction(
            days=self.days + other.days,
            merged=self.merged + other.merged,
            removed=self.removed + other.removed,
        )


def look(store: Folder, folder: str) -> Day:
    """Return the live files of a day.

    A listing is no snapshot: it can miss a generation that is made and a file that is removed
    meanwhile. A second listing that shows the same newest generation proves the first.
    """
    for _ in range(ATTEMPTS):
        names = store.names(folder)
        newest = _newest(names)
        try:
            replaced = _replaced(store, folder, newest) if newest else frozenset[str]()
        except NotFoundError:
            continue
        if _newest(store.names(folder)) != newest:
            continue
        own = [_name(newest)] if newest else []
        appended = (n for n in names if _GENERATION.fullmatch(n) is None and n not in replaced)
        return Day(folder=folder, generation=newest, files=(*own, *appended), replaced=replaced)
    raise StoreError(f"{store.path(folder)} is compacted faster than it can be listed; try again")


def settled(task: Callable[[], T], where: str) -> T:
    """Repeat a reading task whose files were compacted and removed meanwhile.

    Raises
    ------
    StoreError
        When it happens again and again.
    """
    for _ in range(ATTEMPTS):
        try:
            return task()
        except FileNotFoundError:
            continue
    raise StoreError(f"files of {where} are removed faster than they can be read; try again")


def compact(
    store: Folder,
    day: Day,
    schema: pa.Schema,
    options: Mapping[str, Any],
    grace: timedelta = GRACE,
) -> Compaction:
    """Merge the live files of a day into its next generation, and remove what is not needed.

    Killed at any moment, it leaves the same rows to readers. The merged file is held in memory,
    as bytes of Parquet.

    Parameters
    ----------
    schema, options
        Of the Parquet file.
    grace
        Age of a generation from which on the files that it stands for are removed.

    Raises
    ------
    StoreError
        When a file is damaged; nothing was changed then.
    """
    if len(day.files) < 2:
        return Compaction(removed=_clean(store, day, grace))
    merged = _merge(store, day, schema, options)
    made = merged is not None and store.create(f"{day.folder}/{_name(day.generation + 1)}", merged)
    cleaned = _clean(store, look(store, day.folder), grace)
    return Compaction(days=int(made), merged=len(day.files) if made else 0, removed=cleaned)


def _merge(store: Folder, day: Day, schema: pa.Schema, options: Mapping[str, Any]) -> bytes | None:
    """Return the merged file; ``None`` where another process has compacted the day meanwhile."""
    replaced = b"\n".join(name.encode() for name in sorted(day.replaced | {*day.files}))
    buffer = pa.BufferOutputStream()
    paths = [store.path(f"{day.folder}/{name}") for name in day.files]
    try:
        found = ds.dataset(paths, schema=schema, format="parquet", filesystem=store.filesystem)
        with pq.ParquetWriter(
            buffer, schema.with_metadata({_REPLACED: replaced}), **options
        ) as writer:
            for piece in _pieces(found.to_batches()):
                writer.write_table(piece)
    except FileNotFoundError:
        return None
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(
            f"{store.path(day.folder)}: {error}; restore the file, the day was not compacted"
        ) from error
    return bytes(buffer.getvalue())


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather batches into row groups of a size that reads well."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= ROW_GROUP:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _clean(store: Folder, day: Day, grace: timedelta) -> int:
    """Remove files that a generation stands for, once it is old enough, and count them."""
    if not day.generation:
        return 0
    try:
        if store.age(f"{day.folder}/{_name(day.generation)}") < grace:
            return 0
    except NotFoundError:  # there is a newer one already, which stands for all
        return 0
    gone = [name for name in store.names(day.folder) if name in day.replaced]
    store.remove(f"{day.folder}/{name}" for name in gone)
    return len(gone)


def _name(generation: int) -> str:
    return f"generation-{generation:06d}.parquet"


def _newest(names: Sequence[str]) -> int:
    found = (_GENERATION.fullmatch(name) for name in names)
    return max((int(match[1]) for match in found if match), default=0)


def _replaced(store: Folder, folder: str, generation: int) -> frozenset[str]:
    path = store.path(f"{folder}/{_name(generation)}")
    try:
        metadata = pq.read_metadata(path, filesystem=store.filesystem).metadata or {}
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{path}: {error}; restore the file") from error
    return frozenset(metadata[_REPLACED].decode().split("\n"))
