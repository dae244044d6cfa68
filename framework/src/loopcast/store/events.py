"""The event log: what was predicted, as Parquet files by logical model and day.

Layout: ``logical_model=NAME/date=YYYY-MM-DD/DIGEST.parquet``, the day in UTC. Each append writes
files of its own, named by their content, so any number of processes append without
coordination, and an append that is repeated after a crash adds nothing twice. How long an answer
took is not in the name: it takes another time when it is given again. Compaction merges the files
of a day under the readers' and writers' hands; see :mod:`loopcast.store.days`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from loopcast.api import DataError, Event, Name, StoreError
from loopcast.store.days import Compaction, Day, compact, look, settled
from loopcast.store.event_table import (
    EVENT_SCHEMA,
    conform,
    event_table,
    events_of,
    refuse_unknown,
    table_of,
    utc_day,
)
from loopcast.store.files import GRACE, open_folder

__all__ = ["EVENT_SCHEMA", "EventLog", "event_table", "events_of", "table_of"]

_IN_FILE = pa.schema([field for field in EVENT_SCHEMA if field.name != "logical_model"])
_PARTITIONING = ds.partitioning(pa.schema([("logical_model", pa.string())]), flavor="hive")
_REPEATING = [
    "segment",
    "version",
    "role",
    "action",
    "source",
    "inclusion",
    "labelling",
    "propensity",
    *(
        f"{name}.key_value.key"
        for name in ("outputs", "output_texts", "inputs", "input_texts", "explanation")
    ),
    "output_texts.key_value.value",
    "input_texts.key_value.value",
]
_ENCODING: dict[str, Any] = {
    "use_dictionary": _REPEATING,
    "column_encoding": {"time": "DELTA_BINARY_PACKED"},
    "write_statistics": ["segment", "version", "time"],  # by which reads leave out rows
}
# Who appends waits for it, and a day is compacted once: two thirds of the time, then of the size.
# That each list is another is found out soon: what repeats needs no large dictionary.
_APPENDED = {**_ENCODING, "compression": "snappy", "dictionary_pagesize_limit": 2**16}
_COMPACTED: dict[str, Any] = {**_ENCODING, "compression": "zstd"}


class EventLog:
    """The events of every logical model.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def append(self, events: pa.Table | Sequence[Event]) -> None:
        """Append events; each file appears whole or not at all.

        An append is one file for each logical model and day; the same events appended again
        change nothing, even if their latency differs: the first stays.

        Parameters
        ----------
        events
            Columns of :data:`EVENT_SCHEMA`, as :func:`event_table` makes them: the fast way.
            Or events one by one.

        Raises
        ------
        DataError
            When columns are missing, unknown or of another type, or a value cannot be right.
        StoreError
            When the files cannot be written.
        """
        table = events if isinstance(events, pa.Table) else table_of(events)
        files = {}
        for folder, part in _partitions(conform(table)):
            data = _encode(part)
            name = f"{folder}/{_digest(data)}.parquet"
            if not self._folder.exists(name):
                files[name] = data
        if files:
            self._folder.write_all(files)

    def read(
        self,
        logical_model: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        segment: str | None = None,
        version: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return the events of a logical model, without an order.

        Only the files of the days in question, and of them only the columns asked for, are
        read.

        Parameters
        ----------
        start, end
            First moment, and the moment after the last, with a time zone.

        Raises
        ------
        DataError
            For a column that is not in :data:`EVENT_SCHEMA`, or a moment without a zone.
        StoreError
            When a file cannot be read or is damaged.
        """
        wanted = list(columns) if columns is not None else EVENT_SCHEMA.names
        refuse_unknown(wanted)
        condition = _condition(start, end, segment, version)

        def table() -> pa.Table:
            found = self._dataset(logical_model, start, end)
            if found is None:
                return pa.table(
                    {name: pa.array([], EVENT_SCHEMA.field(name).type) for name in wanted}
                )
            return _filled(found.to_table(columns=wanted, filter=condition))

        try:
            return settled(table, logical_model)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(f"events of {logical_model}: {error}; restore the file") from error

    def query(
        self,
        sql: str,
        logical_model: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """Ask in SQL; the events of the days in question are the table ``events``.

        The query sees nothing else: neither files nor the network.

        Raises
        ------
        StoreError
            When DuckDB is not installed.
        DataError
            When DuckDB does not accept the query.
        """
        try:
            import duckdb
        except ImportError:
            raise StoreError(
                "queries in SQL need DuckDB; install it with: pip install 'loopcast[query]'"
            ) from None
        condition = _condition(start, end, None, None)

        def answer() -> pa.Table:
            found = self._dataset(logical_model, start, end)
            events = EVENT_SCHEMA.empty_table() if found is None else found
            kept = events if found is None or condition is None else found.filter(condition)
            with duckdb.connect(config={"enable_external_access": False}) as connection:
                connection.register("events", kept)
                return connection.sql(sql).to_arrow_table()

        try:
            return settled(answer, logical_model)
        except duckdb.Error as error:
            raise DataError(f"query of the events of {logical_model}: {error}") from None

    def days(self, logical_model: str) -> tuple[date, ...]:
        """Return the days in UTC that have events, sorted."""
        return tuple(day for day, _ in self._days(logical_model, None, None))

    def fingerprints(self, logical_model: str, first: date | None = None) -> dict[date, str]:
        """Return for each day in UTC a name of its content, which no compaction changes.

        Parameters
        ----------
        first
            Days before it are left out.
        """
        days = self._days(logical_model, first, None)
        return {day: look(self._folder, folder).fingerprint for day, folder in days}

    def size(self, logical_model: str) -> int:
        """Return how many bytes the files of a logical model take, compacted ones included."""
        return self._folder.size(f"logical_model={logical_model}")

    def compact(
        self,
        logical_model: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        grace: timedelta = GRACE,
    ) -> Compaction:
        """Merge the files of each day into one, while others read and append.

        Parameters
        ----------
        start, end
            Moments of the first and of the last day; all days where they are left out.
        grace
            How long merged files are left to those who read them.

        Raises
        ------
        StoreError
            When a file is damaged; its day stays as it is.
        """
        done = Compaction()
        for _, folder in self._days(logical_model, utc_day(start), utc_day(end)):
            day = look(self._folder, folder)
            done += compact(self._folder, day, _IN_FILE, _COMPACTED, grace)
        return done

    def sweep(self, logical_model: str, older_than: timedelta = GRACE) -> int:
        """Remove temporary files that killed writes left, and count them.

        Parameters
        ----------
        older_than
            Longer than any write takes: a younger file may be one under way.
        """
        folders = (folder for _, folder in self._days(logical_model, None, None))
        return sum(self._folder.sweep(folder, older_than) for folder in folders)

    def _dataset(
        self, logical_model: str, start: datetime | None, end: datetime | None
    ) -> ds.Dataset | None:
        """Return the live files of some days; ``None`` where there are none."""
        files = list(self._files(logical_model, utc_day(start), utc_day(end)))
        if not files:
            return None
        return ds.dataset(
            files,
            schema=EVENT_SCHEMA,
            format="parquet",
            filesystem=self._folder.filesystem,
            partitioning=_PARTITIONING,
            partition_base_dir=self._folder.root,
        )

    def _files(self, logical_model: str, first: date | None, last: date | None) -> Iterator[str]:
        for _, folder in self._days(logical_model, first, last):
            day: Day = look(self._folder, folder)
            yield from (self._folder.path(f"{folder}/{file}") for file in day.files)

    def _days(
        self, logical_model: str, first: date | None, last: date | None
    ) -> Iterator[tuple[date, str]]:
        folder = f"logical_model={logical_model}"
        for name in self._folder.names(folder):
            day = date.fromisoformat(name.removeprefix("date="))
            if (first is None or day >= first) and (last is None or day <= last):
                yield day, f"{folder}/{name}"


def _filled(events: pa.Table) -> pa.Table:
    """Give events from before there were propensities theirs: nothing was left to chance."""
    if "propensity" not in events.column_names:
        return events
    place = events.column_names.index("propensity")
    whole = pc.fill_null(events["propensity"], 1.0)
    return events.set_column(place, EVENT_SCHEMA.field("propensity"), whole)


def _condition(
    start: datetime | None, end: datetime | None, segment: str | None, version: str | None
) -> pc.Expression | None:
    conditions = [
        *([pc.field("time") >= pa.scalar(start, EVENT_SCHEMA.field("time").type)] if start else []),
        *([pc.field("time") < pa.scalar(end, EVENT_SCHEMA.field("time").type)] if end else []),
        *([pc.field("segment") == segment] if segment is not None else []),
        *([pc.field("version") == version] if version is not None else []),
    ]
    combined = None
    for condition in conditions:
        combined = condition if combined is None else combined & condition
    return combined


def _partitions(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Split by logical model and day, and drop the logical model, which the folder says."""
    for name, own in _split(table, table["logical_model"]):
        for day, part in _split(own, own["time"].cast(pa.date32())):
            folder = f"logical_model={_checked(name)}/date={day}"
            yield folder, part.drop_columns("logical_model")


def _split(table: pa.Table, by: pa.ChunkedArray) -> Iterator[tuple[Any, pa.Table]]:
    """Yield each value of a column, in their order, with its rows."""
    values = sorted(pc.unique(by).to_pylist())
    for value in values:
        yield value, table if len(values) == 1 else table.filter(pc.equal(by, value))


def _checked(logical_model: str) -> str:
    try:
        return msgspec.convert(logical_model, Name)
    except msgspec.ValidationError as error:
        raise DataError(f"logical_model {logical_model!r} of an event: {error}") from None


def _encode(part: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(part.cast(_IN_FILE), buffer, **_APPENDED)
    return bytes(buffer.getvalue())


def _digest(data: bytes) -> str:
    """Return a name of what an encoded file says, but for the latency."""
    content, found = memoryview(data), pq.read_metadata(pa.BufferReader(data))
    groups = map(found.row_group, range(found.num_row_groups))
    digest = sha256()
    for column in (group.column(place) for group in groups for place in range(found.num_columns)):
        if column.path_in_schema != "latency_ms":
            start = column.dictionary_page_offset or column.data_page_offset
            digest.update(content[start : start + column.total_compressed_size])
    return digest.hexdigest()[:32]
