"""The events of a batch of segments, laid out at once: a step for a column, not for a segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from loopcast.serve.shadow import WITHHELD
from loopcast.store.event_table import EVENT_SCHEMA, event_column, event_table, is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.serve.answers import Answers, SegmentAnswers

_MAPS = ("outputs", "inputs", "explanation")


@dataclass(frozen=True, eq=False, kw_only=True)
class _Logged:
    """Events of one segment.

    Attributes
    ----------
    columns
        One value for all of them, or an array.
    maps
        Arrays by name, of outputs, inputs and explanation.
    """

    count: int
    columns: Mapping[str, Any]
    maps: Mapping[str, Mapping[str, pa.Array]]

    @property
    def names(self) -> list[list[tuple[str, bool]]]:
        """What its maps hold, and whether as numbers: what events have to share to be one table."""
        return [[(n, is_number(a.type)) for n, a in self.maps[each].items()] for each in _MAPS]


def batch_events(
    batch: Sequence[SegmentAnswers[Answers]], logical_model: str, made: datetime
) -> pa.Table | None:
    """Return one event for each answer of a batch, those of shadows too; ``None`` without any."""
    logged = [part for item in batch if item.answers is not None for part in _logged(item)]
    alike = (list(parts) for _, parts in groupby(logged, key=lambda part: part.names))
    tables = [_table(parts, logical_model, made) for parts in alike]
    return pa.concat_tables(tables) if tables else None


def _logged(item: SegmentAnswers[Answers]) -> Iterator[_Logged]:
    answers, serving = item.answers, item.serving
    assert answers is not None
    assert serving is not None
    count, parts = len(answers.key), serving.parts
    version = np.array([part.version for part in parts])
    place = (answers.version[:, None] == version).argmax(axis=1) if len(parts) > 1 else 0
    yield _part(
        answers,
        segment=item.segment,
        version=version[place],
        role=np.array([part.role for part in parts])[place],
        propensity=np.array([part.share for part in parts])[place],
        action=answers.action,
        labelling=answers.labelling,
        latency_ms=1000.0 * item.seconds / max(count, 1),
    )
    for name, own in item.heard.answers.items():
        yield _part(
            own,
            segment=item.segment,
            version=name,
            role="shadow",
            propensity=1.0,
            action=WITHHELD,
            labelling=answers.labelling,  # outcomes follow from what was served
            latency_ms=0.0,
        )


def _part(answers: Answers, **columns: Any) -> _Logged:
    maps = {name: getattr(answers, name) for name in _MAPS}
    return _Logged(
        count=len(answers.key),
        columns={"key": answers.key, **columns},
        maps={
            each: {name: pa.array(values, from_pandas=True) for name, values in own.items()}
            for each, own in maps.items()
        },
    )


def _table(parts: Sequence[_Logged], logical_model: str, made: datetime) -> pa.Table:
    """Make the events of parts that share the names of their maps."""
    rows = np.repeat(np.arange(len(parts)), [part.count for part in parts])
    columns = {name: _stacked(name, parts, rows) for name in parts[0].columns}
    maps = {
        each: {name: _joined([part.maps[each][name] for part in parts]) for name in own}
        for each, own in parts[0].maps.items()
    }
    return event_table(time=made, logical_model=logical_model, **columns, **maps)


def _stacked(name: str, parts: Sequence[_Logged], rows: NDArray[np.intp]) -> pa.Array:
    kind, values = EVENT_SCHEMA.field(name).type, [part.columns[name] for part in parts]
    if all(isinstance(value, str | float) for value in values):
        return pa.array(values, kind).take(pa.array(rows))
    counted = zip(values, parts, strict=True)
    return pa.concat_arrays([event_column(name, value, part.count) for value, part in counted])


def _joined(arrays: Sequence[pa.Array]) -> pa.Array:
    kind = pa.float64() if is_number(arrays[0].type) else pa.string()
    return pa.concat_arrays([array.cast(kind) for array in arrays])
