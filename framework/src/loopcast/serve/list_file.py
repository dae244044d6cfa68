"""The lists of all segments in one file that is read by look-up (:mod:`loopcast.serve.lookup`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import lmdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.develop.columns import text_array
from loopcast.serve.lookup import FIELD, ITEM, MAP_BYTES, NEWCOMER, UNANSWERED, key

if TYPE_CHECKING:
    from loopcast.api import RankSchema, Segment
    from loopcast.serve.answers import Answers, SegmentAnswers

MADE = "%Y%m%dT%H%M%S.%f"
"""How an entry, and the id of a recommendation, has the moment of its events, in UTC."""


class ListFile:
    """A file of lists that grows by batches and appears whole, when the last one is written.

    Parameters
    ----------
    path
        Where it appears; on an error nothing does.
    made
        The moment of the events.
    """

    def __init__(self, path: Path, schema: RankSchema, made: datetime) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._schema = schema
        self._made = made.astimezone(UTC).strftime(MADE).encode()

    def __enter__(self) -> Self:
        self._part.unlink(missing_ok=True)
        self._lists = lmdb.open(
            str(self._part), map_size=MAP_BYTES, subdir=False, lock=False, sync=False
        )
        return self

    def write(self, batch: Sequence[SegmentAnswers]) -> None:
        """Add the lists of some segments, or why a segment has none."""
        answered = [(item.segment, item.answers) for item in batch if item.answers is not None]
        others = [item for item in batch if item.answers is None]
        with self._lists.begin(write=True) as writing:
            cursor = writing.cursor()
            cursor.putmulti(map(self._reason, others))
            if answered:
                cursor.putmulti(self._entries(answered))

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

    def _reason(self, item: SegmentAnswers) -> tuple[bytes, bytes]:
        fields = (self._made, b"", UNANSWERED.encode(), item.reason.encode(), b"", b"")
        return key(item.segment, NEWCOMER), FIELD.join(fields)

    def _entries(
        self, answered: Sequence[tuple[Segment, Answers]]
    ) -> Iterator[tuple[bytes, bytes]]:
        tables = [_rows(answers, self._schema.entity) for _, answers in answered]
        rows = pd.concat(tables, ignore_index=True)
        first = np.flatnonzero(rows["place"].to_numpy() <= 1)
        names = [segment for segment, _ in answered]
        ends = np.cumsum([len(table) for table in tables])
        segments = np.array(names, dtype=object)[np.searchsorted(ends, first, side="right")]
        keys = map(key, segments, rows[self._schema.entity].iloc[first])
        return zip(keys, self._values(rows, first), strict=True)

    def _values(self, rows: pd.DataFrame, first: Any) -> list[bytes]:
        """Return what is kept of each list, whose rows follow each other."""
        filled = (rows["place"] > 0).to_numpy()
        offsets = np.append(0, np.cumsum(np.add.reduceat(filled.astype(np.int32), first)))
        lists = pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()), _bytes(rows[self._schema.item][filled])
        )
        scores = rows["score"].to_numpy("<f4")[filled]
        packed = pa.Array.from_buffers(
            pa.binary(),
            len(first),
            [None, pa.py_buffer((offsets * 4).astype(np.int32)), pa.py_buffer(scores.tobytes())],
        )
        texts = (_bytes(rows[name].iloc[first]) for name in ("version", "action", "reason"))
        made = pa.scalar(self._made, pa.binary())
        items = pc.binary_join(lists, ITEM)
        values = pc.binary_join_element_wise(made, *texts, items, packed, FIELD)
        found: list[bytes] = values.to_pylist()
        return found


def _rows(answers: Answers, entity: str) -> pd.DataFrame:
    """Return a row for each place, and one of place 0 where nothing is recommended."""
    tables = [answers.table]
    if int((answers.table["place"] <= 1).sum()) < len(answers.key):
        listed = pd.Index(answers.table[entity].unique())
        nothing = listed.get_indexer(pd.Index(answers.key)) < 0
        empty = {
            entity: answers.key[nothing],
            "place": 0,
            "version": answers.version[nothing],
            "action": np.asarray(answers.action)[nothing],
        }
        tables.append(pd.DataFrame(empty))
    if answers.newcomer is not None:
        tables.append(answers.newcomer)
    return pd.concat(tables, ignore_index=True)


def _bytes(column: pd.Series[Any]) -> pa.Array:
    """Return texts as bytes; empty where there is none."""
    return pc.fill_null(text_array(column.array), "").cast(pa.binary())
