"""What a batch run over segments leaves behind: one table of all answers."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loopcast.serve.folded import Folded

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Segment
    from loopcast.serve.answers import Answers, SegmentAnswers
    from loopcast.serve.list_file import Entries
    from loopcast.serve.overview import Overview


class AnswerFile:
    """A Parquet file that grows by batches and appears whole, when the last one is written.

    Without rows there is none: that of an earlier run in the same folder goes.

    Parameters
    ----------
    path
        Where it appears; on an error nothing does, and what was there stays.
    metadata
        Of the file, such as the unit of its numbers.
    """

    def __init__(self, path: Path, metadata: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._metadata = metadata or {}
        self._part = path.with_name(f".{path.name}.part")
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, rows: pa.Table | Folded | None) -> None:
        """Append rows; nothing where there are none."""
        if not rows:
            return
        table = rows.whole() if isinstance(rows, Folded) else rows
        if self._writer is None:
            self._writer = self._opened(table)
        self._writer.write_table(table.cast(self._writer.schema))

    def _opened(self, rows: pa.Table) -> pq.ParquetWriter:
        """Open a file that is written by codes and reads as texts.

        Arrow reads by the schema that it finds under its key in the metadata of a file, where it
        puts that of what was written unless told otherwise.
        """
        schema, plain = written_schema(rows), plain_schema(rows).with_metadata(self._metadata)
        writer = pq.ParquetWriter(self._part, schema, store_schema=False, **_encoding(schema))
        as_read = b64encode(plain.serialize().to_pybytes()).decode()
        writer.add_key_value_metadata({**self._metadata, "ARROW:schema": as_read})
        return writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is None:
            if error is None:  # what is published as of this run must not be of an earlier one
                self._path.unlink(missing_ok=True)
            return
        self._writer.close()
        if error is None:
            with self._part.open("rb") as written:
                os.fsync(written.fileno())
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Return how columns are written.

    A dictionary of numbers that hardly repeat is larger than they are, and a third of the time;
    bounds of a row group help those who read one segment, and are another third.
    """
    numbers = (pa.types.is_floating, pa.types.is_integer)
    return {
        "use_dictionary": [f.name for f in schema if not any(are(f.type) for are in numbers)],
        "write_statistics": ["segment"] if "segment" in schema.names else False,
        "write_batch_size": _AT_ONCE,
    }


_AT_ONCE = 2**16
"""Values of a column that are encoded in one go; a thousand at a time take a third longer."""

CODED = pa.dictionary(pa.int32(), pa.large_string())
"""How texts that repeat are told; the codes of a batch have one dictionary, of different texts."""


def written_schema(rows: pa.Table) -> pa.Schema:
    """Return the schema by which a table is written: codes as they are, which Parquet keeps."""
    fields = zip(rows.schema, plain_schema(rows), strict=True)
    return pa.schema([own if own.type == CODED else plain for own, plain in fields])


def plain_schema(rows: pa.Table) -> pa.Schema:
    """Return the schema of a table in which every text stands for itself, and none for a code."""
    coded = pa.types.is_dictionary
    return pa.schema([f.with_type(f.type.value_type) if coded(f.type) else f for f in rows.schema])


def arrow(rows: pd.DataFrame) -> pa.Table:
    """Return rows as they are written: without an index, and without notes for pandas."""
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()


@dataclass(frozen=True, eq=False, kw_only=True)
class Written:
    """What the answers of a batch are written as; ``None`` where there is nothing to write.

    Attributes
    ----------
    table
        For people and systems, with a column of segments.
    for_people
        Its rows that a person has to decide on.
    events
        For the event log.
    ruled
        What rules did to lists.
    lists
        Of a ranking, for look-up.
    seen
        For the page; ``None`` where no row was answered.
    """

    table: pa.Table | Folded | None = None
    for_people: pa.Table | None = None
    events: pa.Table | None = None
    ruled: pa.Table | None = None
    lists: Entries | None = None
    seen: Overview | None = None


def answer_table(batch: Sequence[SegmentAnswers[Answers]]) -> pa.Table | None:
    """Return the answers of a batch, with a column of segments; ``None`` without answers."""
    return _joined(
        [(item.segment, item.answers.table) for item in batch if item.answers is not None]
    )


def ruled_table(found: Sequence[tuple[Segment, pd.DataFrame | None]]) -> pa.Table | None:
    """Return what rules did in segments, with a column of these; ``None`` where nothing."""
    return _joined([(segment, arrow(own)) for segment, own in found if own is not None])


def _joined(tables: Sequence[tuple[str, pa.Table]]) -> pa.Table | None:
    named = [
        table.append_column("segment", _repeated(segment, len(table))) for segment, table in tables
    ]
    if not named:
        return None
    # As one piece, in which each column has one dictionary of codes.
    return pa.concat_tables(named, promote_options="permissive").combine_chunks()


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    codes = pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([text], pa.large_string()))
