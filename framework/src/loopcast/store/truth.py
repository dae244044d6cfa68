"""Ground truth: outcomes as they became known, joined to events by key.

Layout: ``logical_model=NAME/month=YYYY-MM/DIGEST.parquet`` by the month in UTC in which an outcome
was observed. Rows are never changed. The outcome of a key is the one that was observed last;
earlier ones stay as its history. Files are compacted as those of the event log are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loopcast.api import StoreError, Task
from loopcast.store.days import Compaction, compact, look, settled
from loopcast.store.files import GRACE, open_folder
from loopcast.store.truth_table import TRUTH_SCHEMA, truth_table

__all__ = ["TRUTH_SCHEMA", "Ingestion", "TruthStore", "join", "truth_table"]

Mask = NDArray[np.bool_]

_ENCODING: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["segment", "text", "source"],
    "column_encoding": {"observed": "DELTA_BINARY_PACKED"},
}
_APART = "\x1f"


@dataclass(frozen=True, kw_only=True)
class Ingestion:
    """What became of the rows of one delivery of ground truth.

    Attributes
    ----------
    rows
        How many were delivered.
    new
        Outcomes of keys that had none before.
    corrected
        Other outcomes than the known one, observed later: they hold from now on.
    outdated
        Outcomes observed earlier than the known one, or other ones at the same moment: history.
        An earlier one may be that of an earlier event of the key.
    confirmed
        The known outcome, observed again later; it holds against corrections in between.
    repeated
        Rows that were stored already.
    unknown
        Rows without an outcome.
    """

    rows: int
    new: int
    corrected: int
    outdated: int
    confirmed: int
    repeated: int
    unknown: int = 0


class TruthStore:
    """The outcomes of every logical model.

    Any number of processes may add outcomes at once, in any order and again; what is killed
    leaves whole files, and adding the same rows again adds what was missing.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def add(self, logical_model: str, outcomes: pa.Table) -> Ingestion:
        """Add outcomes; those that say what is known are not stored again.

        Parameters
        ----------
        outcomes
            Columns of :data:`TRUTH_SCHEMA`, as :func:`truth_table` makes them.

        Raises
        ------
        StoreError
            When the files cannot be written.
        """
        distinct = _distinct(outcomes)
        news = _news(distinct, self.history(logical_model))
        files = {}
        for month, part in _months(distinct.filter(pa.array(news.wanted))):
            data = _encode(part)
            name = f"{sha256(data).hexdigest()[:32]}.parquet"
            files[f"logical_model={logical_model}/month={month}/{name}"] = data
        if files:
            self._folder.write_all(files)
        unknown = int(news.unknown.sum())
        return Ingestion(
            rows=outcomes.num_rows,
            new=int(news.new.sum()),
            corrected=int(news.corrected.sum()),
            outdated=int(news.outdated.sum()),
            confirmed=int(news.confirmed.sum()),
            repeated=outcomes.num_rows - int(news.wanted.sum()) - unknown,
            unknown=unknown,
        )

    def latest(self, logical_model: str) -> pa.Table:
        """Return the outcome of each key: the one observed last.

        Of several that were observed at the same moment, the largest, so that all agree.
        """
        newest = _newest_first(self.history(logical_model))
        keys = _keys(newest)
        first = pc.equal(pc.index_in(keys, value_set=keys), pa.array(np.arange(len(keys))))
        return newest.filter(first)

    def history(
        self, logical_model: str, start: datetime | None = None, end: datetime | None = None
    ) -> pa.Table:
        """Return every outcome that was stored, without an order.

        Parameters
        ----------
        start, end
            First moment in which outcomes were observed, and the moment after the last, with a
            time zone; only the files of these months are read.

        Raises
        ------
        StoreError
            When a file is damaged.
        """
        return self._read(logical_model, TRUTH_SCHEMA.names, start, end)

    def counts(self, logical_model: str) -> dict[date, int]:
        """Return how many outcomes are stored of each day in UTC on which some were observed.

        Outcomes are added and never changed: of a day with as many as before, all are known.

        Raises
        ------
        StoreError
            When a file is damaged.
        """
        days = self._read(logical_model, ["observed"])["observed"].cast(pa.date32())
        found = pa.table({"day": days}).group_by("day").aggregate([([], "count_all")])
        return dict(zip(found["day"].to_pylist(), found["count_all"].to_pylist(), strict=True))

    def compact(self, logical_model: str, *, grace: timedelta = GRACE) -> Compaction:
        """Merge the files of each month; as the event log's days are."""
        done = Compaction()
        for folder in self._months(logical_model):
            month = look(self._folder, folder)
            done += compact(self._folder, month, TRUTH_SCHEMA, _ENCODING, grace)
        return done

    def sweep(self, logical_model: str, older_than: timedelta = GRACE) -> int:
        """Remove temporary files that killed writes left, and count them; as the event log does."""
        months = self._months(logical_model)
        return sum(self._folder.sweep(folder, older_than) for folder in months)

    def _read(
        self,
        logical_model: str,
        columns: Sequence[str],
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        observed, kind = pc.field("observed"), TRUTH_SCHEMA.field("observed").type
        condition = pc.scalar(True)
        if start is not None:
            condition &= observed >= pa.scalar(start, kind)
        if end is not None:
            condition &= observed < pa.scalar(end, kind)

        def table() -> pa.Table:
            files = list(self._files(logical_model, start, end))
            if not files:
                return TRUTH_SCHEMA.empty_table().select(columns)
            return ds.dataset(
                files, schema=TRUTH_SCHEMA, format="parquet", filesystem=self._folder.filesystem
            ).to_table(columns=columns, filter=condition)

        try:
            return settled(table, logical_model)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(f"truth of {logical_model}: {error}; restore the file") from error

    def _files(
        self, logical_model: str, start: datetime | None, end: datetime | None
    ) -> Iterator[str]:
        first, last = (f"{each.astimezone(UTC):%Y-%m}" if each else "" for each in (start, end))
        for folder in self._months(logical_model):
            name = folder.rpartition("=")[2]
            if name < first or (last and name > last):
                continue
            month = look(self._folder, folder)
            yield from (self._folder.path(f"{folder}/{name}") for name in month.files)

    def _months(self, logical_model: str) -> list[str]:
        folder = f"logical_model={logical_model}"
        return [f"{folder}/{name}" for name in self._folder.names(folder)]


def join(events: pa.Table, latest: pa.Table, *, task: Task | None = None) -> pa.Table:
    """Return the events with the columns ``value``, ``text`` and ``observed`` of their outcome.

    And with ``told_by``, the source of it: an event has one of its own.

    Parameters
    ----------
    events
        With the columns ``segment`` and ``key``, and of a ranking ``time``.
    latest
        One outcome for each key, as :meth:`TruthStore.latest` returns them.
    task
        Of the events. A ranking is asked about the same key again and again, as for a list each
        night: an outcome that was observed before an event is none of it then.

    Returns
    -------
    Table
        The same rows in the same order; the new columns are null where nothing is known.
    """
    named = any(pc.max(pc.binary_length(t["segment"])).as_py() for t in (events, latest))
    place = pc.index_in(
        joined_keys(events["segment"], events["key"], named=named),
        value_set=joined_keys(latest["segment"], latest["key"], named=named),
    )
    if task == "rank":
        before = pc.less_equal(latest["observed"].take(place), events["time"])
        place = pc.if_else(before, pa.scalar(None, place.type), place)
    for name in ("value", "text", "observed"):
        events = events.append_column(TRUTH_SCHEMA.field(name), latest[name].take(place))
    return events.append_column("told_by", latest["source"].take(place))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far events and outcomes have found each other.

    Attributes
    ----------
    events
        Number of predictions.
    labelled
        Those whose outcome is known.
    outcomes
        Keys with an outcome.
    unmatched
        Keys with an outcome and without an event; they are kept for events that come later.
    examples
        Some of these keys.
    """

    events: int
    labelled: int
    outcomes: int
    unmatched: int
    examples: tuple[str, ...]


def standing(events: pa.Table, latest: pa.Table) -> Standing:
    """Count what has found each other.

    Parameters
    ----------
    events
        Each once, with the columns ``segment`` and ``key``.
    latest
        As :meth:`TruthStore.latest` returns it.
    """
    ours = joined_keys(events["segment"], events["key"], named=True)
    theirs = joined_keys(latest["segment"], latest["key"], named=True)
    lonely = latest["key"].filter(pc.invert(pc.is_in(theirs, value_set=ours)))
    return Standing(
        events=events.num_rows,
        labelled=int(_mask(pc.is_in(ours, value_set=theirs)).sum()),
        outcomes=latest.num_rows,
        unmatched=len(lonely),
        examples=tuple(lonely.slice(0, 5).to_pylist()),
    )


def joined_keys(segments: pa.ChunkedArray, keys: pa.ChunkedArray, *, named: bool) -> pa.Array:
    """Return one text for each segment and key; the key alone where no segment has a name."""
    if named:
        keys = pc.binary_join_element_wise(segments, keys, _APART)
    return keys.combine_chunks()


def _distinct(outcomes: pa.Table) -> pa.Table:
    return outcomes.group_by(outcomes.column_names, use_threads=False).aggregate([])


def _newest_first(history: pa.Table) -> pa.Table:
    names = ("observed", "source", "value", "text")
    return history.take(
        pc.sort_indices(history, sort_keys=[(name, "descending") for name in names])
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _News:
    """Masks of delivered rows: which of them say something that was not known, and what."""

    new: Mask
    corrected: Mask
    outdated: Mask
    confirmed: Mask
    unknown: Mask

    @property
    def wanted(self) -> Mask:
        return np.asarray(self.new | self.corrected | self.outdated | self.confirmed)


def _news(outcomes: pa.Table, known: pa.Table) -> _News:
    """Compare delivered rows with the history of their keys."""
    latest = _newest_first(known)
    place = pc.index_in(_keys(outcomes), value_set=_keys(latest))
    unknown = pc.and_(pc.is_null(outcomes["value"]), pc.is_null(outcomes["text"]))
    same = pc.or_(
        *(
            pc.fill_null(pc.equal(outcomes[name], latest[name].take(place)), False)
            for name in ("value", "text")
        )
    )
    stored = pc.is_in(_identity(outcomes), value_set=_identity(known))
    later = pc.greater(outcomes["observed"], latest["observed"].take(place))
    there = _mask(pc.is_valid(place))
    left = there & ~_mask(stored) & ~_mask(unknown)
    is_later, is_same = _mask(pc.fill_null(later, False)), _mask(same)
    return _News(
        new=~there & ~_mask(unknown),
        corrected=left & is_later & ~is_same,
        outdated=left & ~is_later,
        confirmed=left & is_later & is_same,
        unknown=_mask(unknown),
    )


def _identity(rows: pa.Table) -> pa.ChunkedArray:
    """Return what tells stored rows apart, as one text for each."""
    parts = [rows["segment"], rows["key"], rows["observed"].cast(pa.int64()).cast(pa.string())]
    parts += [pc.fill_null(rows[name].cast(pa.string()), "") for name in ("value", "text")]
    return pc.binary_join_element_wise(*parts, _APART)


def _keys(rows: pa.Table) -> pa.Array:
    return joined_keys(rows["segment"], rows["key"], named=True)


def _mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    return np.asarray(values.to_pandas(), dtype=bool)


def _months(outcomes: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    months = pc.strftime(outcomes["observed"], "%Y-%m")
    for month in sorted(months.unique().to_pylist()):
        yield month, outcomes.filter(pc.equal(months, month))


def _encode(part: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    ordered = part.sort_by([(name, "ascending") for name in TRUTH_SCHEMA.names])
    pq.write_table(ordered.cast(TRUTH_SCHEMA), buffer, **_ENCODING)
    return bytes(buffer.getvalue())
