"""The outbox: what goes home, kept until the centre says that it is stored.

Events and outcomes wait as rows, in the order in which they happened. Sealed, a number of them
becomes a batch: bytes that never change again, under a number that is never used again. So the
centre can store each batch once however often it comes, and the device drops it only when a receipt
names it; the broker's own acknowledgement says nothing of the kind.

The outbox is bounded. Where rows would be too many, the oldest are condensed to counts and sums by
source and hour, then by day, then altogether, before anything is lost. What is sealed stays as it
is, for it may have been stored already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import msgspec

from loopcast_edge.agent.database import opened
from loopcast_edge.agent.remembered import Notes, Said
from loopcast_edge.wire import (
    Batch,
    Condensed,
    EdgeEvent,
    EventBatch,
    Outcome,
    Receipt,
    Source,
    Subject,
    TruthBatch,
    WireError,
    encode,
)

LOG = logging.getLogger(__name__)

MOST_ROWS = 50_000
BATCH_ROWS = 500
WINDOW = 16
HOUR_MS, DAY_MS, EVER_MS = 3_600_000, 86_400_000, 2**53


class _Kind(NamedTuple):
    """What waits as rows: its batch, the fields of it, and how an entry names its origin."""

    batch: type[Batch]
    origin: Any
    entry: Any
    origins: str
    entries: str
    place: str


KINDS = {
    "events": _Kind(EventBatch, Source, EdgeEvent, "sources", "events", "source"),
    "truth": _Kind(TruthBatch, Subject, Outcome, "subjects", "outcomes", "subject"),
}


class Sealed(NamedTuple):
    """A batch on its way: its number, its channel upward, and its bytes."""

    sequence: int
    channel: str
    payload: bytes


class _Row(NamedTuple):
    id: int
    kind: str
    origin: int
    condensed: bool
    body: bytes


class Outbox:
    """Events, outcomes and other batches of a device until they are stored at the centre.

    Parameters
    ----------
    path
        A file of SQLite, made where there is none; ``None`` keeps all in memory. A damaged file is
        set aside, and a new outbox with a name of its own begun.
    most_rows
        More rows than this do not wait: the oldest are condensed.
    """

    def __init__(self, path: Optional[Path], most_rows: int = MOST_ROWS) -> None:
        self._most = most_rows
        self._database, self.set_aside = opened(path)
        [(self.id,)] = self._database.execute("SELECT id FROM outbox")
        self.notes = Notes(self._database)
        self._rows = self._pending = 0
        self._recount()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def said(self, place: str) -> Said:
        """Return what packages of a place said, and waits for its outcome."""
        return Said(self._database, place)

    def add_events(self, source: Source, events: Sequence[EdgeEvent]) -> None:
        """Keep predictions of one source; the disk has them when this returns.

        Raises
        ------
        WireError
            If one is not what the protocol allows; none is kept then.
        """
        self._add("events", source, events)

    def add_outcomes(self, subject: Subject, outcomes: Sequence[Outcome]) -> None:
        """Keep outcomes of one subject; the disk has them when this returns.

        Raises
        ------
        WireError
            If one is not what the protocol allows; none is kept then.
        """
        self._add("truth", subject, outcomes)

    def add_batch(self, channel: str, make: Callable[[str, int], Batch]) -> int:
        """Keep a batch of another kind, made of the outbox's name and the batch's number.

        Returns
        -------
        int
            Its number.

        Raises
        ------
        WireError
            If it is not what the protocol allows; nothing is kept then.
        """
        with self.together():
            return self._seal(channel, make)

    def seal(self) -> None:
        """Make batches of what waits, as long as fewer than ``WINDOW`` are pending."""
        while self.pending < WINDOW:
            oldest = self._select("ORDER BY id LIMIT 1", ())
            if not oldest:
                return
            which = "WHERE kind = ? ORDER BY id LIMIT ?"
            self._seal_rows(self._select(which, (oldest[0].kind, BATCH_ROWS)))

    def batches(self) -> list[Sealed]:
        """Return the batches that no receipt has named, oldest first, ``WINDOW`` at most."""
        if not self._pending:
            return []
        rows = self._database.execute(
            "SELECT sequence, channel, payload FROM batches ORDER BY sequence LIMIT ?", (WINDOW,)
        )
        return [Sealed(*row) for row in rows]

    def stored(self, receipt: Receipt) -> None:
        """Drop what the centre has stored; a receipt for another outbox drops nothing."""
        if receipt.outbox != self.id:
            return
        with self.together():
            gone = self._database.executemany(
                "DELETE FROM batches WHERE sequence = ?", [(number,) for number in receipt.stored]
            )
            self._pending -= gone.rowcount

    @property
    def pending(self) -> int:
        """How many batches no receipt has named."""
        return self._pending

    @property
    def waiting(self) -> int:
        """How many rows are in no batch yet, condensed ones included."""
        return self._rows

    def _add(self, kind: str, origin: Union[Source, Subject], entries: Sequence[Any]) -> None:
        what = KINDS[kind]
        placed = tuple(msgspec.structs.replace(each, **{what.place: 0}) for each in entries)
        _check(what, origin, placed)
        with self.together():
            number = self._origin(origin)
            rows = [(kind, number, msgspec.msgpack.encode(entry)) for entry in placed]
            self._database.executemany(
                "INSERT INTO waiting (kind, origin, condensed, body) VALUES (?, ?, 0, ?)", rows
            )
            self._rows = self._condense(self._rows + len(rows))

    def _origin(self, origin: Union[Source, Subject]) -> int:
        """Return the number of an origin, a new one where it is new."""
        body = msgspec.msgpack.encode(origin)
        self._database.execute("INSERT OR IGNORE INTO origins (body) VALUES (?)", (body,))
        [(number,)] = self._database.execute("SELECT id FROM origins WHERE body = ?", (body,))
        return int(number)

    def _seal(self, channel: str, make: Callable[[str, int], Batch]) -> int:
        """Store a batch under the next number, within a transaction."""
        cursor = self._database.execute(
            "INSERT INTO batches (channel, payload) VALUES (?, x'')", (channel,)
        )
        sequence = int(cursor.lastrowid or 0)
        self._database.execute(
            "UPDATE batches SET payload = ? WHERE sequence = ?",
            (encode(make(self.id, sequence)), sequence),
        )
        self._pending += 1
        return sequence

    def _seal_rows(self, rows: Sequence[_Row]) -> None:
        """Make one batch of the oldest rows of a kind, as many as fit."""
        try:
            with self.together():
                self._seal(f"up/{rows[0].kind}", partial(self._gather, rows))
                self._forget(rows)
        except WireError:
            if len(rows) == 1:
                raise
            self._seal_rows(rows[: len(rows) // 2])
        else:
            self._rows -= len(rows)

    def _gather(self, rows: Sequence[_Row], box: str, number: int) -> Batch:
        """Make the batch of some rows of one kind."""
        what = KINDS[rows[0].kind]
        places = {
            number: place for place, number in enumerate(dict.fromkeys(r.origin for r in rows))
        }
        bodies = [
            self._database.execute("SELECT body FROM origins WHERE id = ?", (number,)).fetchone()[0]
            for number in places
        ]
        origins = tuple(msgspec.msgpack.decode(body, type=what.origin) for body in bodies)
        entries = tuple(
            _decoded(row, **{what.place: places[row.origin]}) for row in rows if not row.condensed
        )
        condensed = tuple(_decoded(row, source=places[row.origin]) for row in rows if row.condensed)
        fields = {what.origins: origins, what.entries: entries, "condensed": condensed}
        return _batch(what, box, number, **fields)

    def _condense(self, rows: int) -> int:
        """Condense the oldest tenth, as coarsely as it takes, where rows are too many."""
        for span in (HOUR_MS, DAY_MS, EVER_MS):
            if rows > self._most:
                oldest = self._select("ORDER BY id LIMIT ?", (max(2, rows // 10),))
                fewer = self._merge(oldest, span)
                if fewer:
                    LOG.warning(
                        "%d rows wait for the centre: the oldest %d became %d counts and sums",
                        *(rows, len(oldest), len(oldest) - fewer),
                    )
                rows -= fewer
        return rows

    def _merge(self, rows: Sequence[_Row], span: int) -> int:
        """Replace rows by one for each source and span of time; return how many fewer they are."""
        groups: dict[tuple[int, int], tuple[_Row, Condensed]] = {}
        for row in rows:
            part = _condensed(row)
            key = (row.origin, part.start // span)
            first, whole = groups.get(key, (row, None))
            groups[key] = first, part if whole is None else _sum(whole, part)
        self._forget(rows)
        self._database.executemany(
            "INSERT INTO waiting (id, kind, origin, condensed, body) VALUES (?, ?, ?, 1, ?)",
            [
                (first.id, first.kind, first.origin, msgspec.msgpack.encode(whole))
                for first, whole in groups.values()
            ],
        )
        return len(rows) - len(groups)

    def _select(self, which: str, values: tuple[Any, ...]) -> list[_Row]:
        query = f"SELECT id, kind, origin, condensed, body FROM waiting {which}"
        return [_Row(*row) for row in self._database.execute(query, values)]

    def _forget(self, rows: Sequence[_Row]) -> None:
        self._database.executemany("DELETE FROM waiting WHERE id = ?", [(row.id,) for row in rows])

    def _recount(self) -> None:
        self._rows, self._pending = self._count("waiting"), self._count("batches")

    def _count(self, table: str) -> int:
        [(count,)] = self._database.execute(f"SELECT count(*) FROM {table}")
        return int(count)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that is added within, or nothing; the disk has it afterwards."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        """End a transaction that cannot be kept; a full disk may have ended it already."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        self._recount()


def _batch(what: _Kind, box: str, number: int, **fields: Any) -> Batch:
    """Make a batch of its origins, entries and condensed rows."""
    try:
        return what.batch(outbox=box, sequence=number, **fields)
    except ValueError as error:
        raise WireError(f"a batch of {what.entries}: {error}") from None


def _check(what: _Kind, origin: Any, entries: Sequence[Any]) -> None:
    """Refuse entries that no batch could hold; together they may be too many for one."""
    try:
        encode(_batch(what, "0" * 16, 1, **{what.origins: (origin,), what.entries: entries}))
    except WireError:
        if len(entries) <= 1:
            raise
        half = len(entries) // 2
        _check(what, origin, entries[:half])
        _check(what, origin, entries[half:])


def _decoded(row: _Row, **place: int) -> Any:
    kind = Condensed if row.condensed else KINDS[row.kind].entry
    return msgspec.structs.replace(msgspec.msgpack.decode(row.body, type=kind), **place)


def _condensed(row: _Row) -> Condensed:
    """Return a row as a sum of itself."""
    entry = _decoded(row)
    if isinstance(entry, Condensed):
        return entry
    time, values = (
        (entry.time, entry.outputs)
        if isinstance(entry, EdgeEvent)
        else (entry.observed, (entry.value,))
    )
    sums = tuple(float(each) if isinstance(each, (int, float)) else 0.0 for each in values)
    return Condensed(source=0, start=time, end=time, count=1, sums=sums)


def _sum(one: Condensed, other: Condensed) -> Condensed:
    return Condensed(
        source=0,
        start=min(one.start, other.start),
        end=max(one.end, other.end),
        count=one.count + other.count,
        sums=tuple(a + b for a, b in zip_longest(one.sums, other.sums, fillvalue=0.0)),
    )
