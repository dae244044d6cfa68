"""What a batch run over segments leaves behind: one table of all answers, and their events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loopcast.serve.shadow import WITHHELD
from loopcast.store.events import event_table

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.serve.answers import SegmentAnswers


class AnswerFile:
    """A Parquet file that grows by batches and appears whole, when the last one is written.

    Parameters
    ----------
    path
        Where it appears; on an error nothing does.
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

    def write(self, rows: pa.Table | None) -> None:
        """Append rows; nothing where there are none."""
        if not rows:
            return
        if self._writer is None:
            schema = plain_schema(rows).with_metadata(self._metadata)
            self._writer = pq.ParquetWriter(self._part, schema, **_encoding(schema))
        self._writer.write_table(rows.cast(self._writer.schema))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is None:
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
    floats = pa.types.is_floating
    return {
        "use_dictionary": [field.name for field in schema if not floats(field.type)],
        "write_statistics": ["segment"] if "segment" in schema.names else False,
    }


def plain_schema(rows: pa.Table) -> pa.Schema:
    """Return the schema of a table in which every text stands for itself, and none for a code."""
    coded = pa.types.is_dictionary
    return pa.schema(
        [(f.name, f.type.value_type if coded(f.type) else f.type) for f in rows.schema]
    )


def arrow(rows: pd.DataFrame) -> pa.Table:
    """Return rows as they are written: without an index, and without notes for pandas."""
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()


def answer_table(batch: Sequence[SegmentAnswers]) -> pa.Table | None:
    """Return the answers of a batch, with a column of segments; ``None`` without answers."""
    return _joined(
        [(item.segment, item.answers.table) for item in batch if item.answers is not None]
    )


def ruled_table(batch: Sequence[SegmentAnswers]) -> pa.Table | None:
    """Return what rules did in a batch, with a column of segments; ``None`` where nothing."""
    found = [(item.segment, item.answers.ruled) for item in batch if item.answers is not None]
    return _joined([(segment, arrow(own)) for segment, own in found if own is not None])


def _joined(tables: Sequence[tuple[str, pa.Table]]) -> pa.Table | None:
    named = [
        table.append_column("segment", _repeated(segment, len(table))) for segment, table in tables
    ]
    return pa.concat_tables(named, promote_options="permissive") if named else None


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    codes = pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([text], pa.large_string()))


def batch_events(
    batch: Iterable[SegmentAnswers], logical_model: str, made: datetime
) -> pa.Table | None:
    """Return the events of all segments that were answered, which are logged at once."""
    found = [answer_events(item, logical_model, made) for item in batch if item.answers is not None]
    return pa.concat_tables(found) if found else None


def answer_events(item: SegmentAnswers, logical_model: str, made: datetime) -> pa.Table:
    """Return one event for each answer of a segment, those of shadows too."""
    answers, serving = item.answers, item.serving
    assert answers is not None
    assert serving is not None
    parts = {part.version: part for part in serving.parts}
    names, place = np.unique(answers.version, return_inverse=True)
    common: dict[str, Any] = {"time": made, "logical_model": logical_model, "segment": item.segment}
    served = event_table(
        key=answers.key,
        version=answers.version,
        role=np.array([parts[name].role for name in names])[place],
        propensity=np.array([parts[name].share for name in names])[place],
        action=answers.action,
        outputs=answers.outputs,
        inputs=answers.inputs,
        explanation=answers.explanation,
        labelling=answers.labelling,
        latency_ms=1000.0 * item.seconds / max(len(answers.key), 1),
        **common,
    )
    shadows = (
        event_table(
            key=own.key,
            version=version,
            role="shadow",
            action=WITHHELD,
            outputs=own.outputs,
            inputs=own.inputs,
            labelling=answers.labelling,  # outcomes follow from what was served
            **common,
        )
        for version, own in item.heard.answers.items()
    )
    return pa.concat_tables([served, *shadows])
