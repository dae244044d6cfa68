"""Where a run's table is read: whole, or segment by segment for a family."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from loopcast.api import DataError, FamilyReader, NotFoundError, Segment
from loopcast.develop.columns import Columns, texts
from loopcast.settings import DataSettings, convert

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api import Reader

BATCH = 64
"""Segments that are in memory at once in each process."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """A table that has not been read yet.

    Attributes
    ----------
    options
        Of the reader's own type.
    base
        Folder that relative paths start from.
    """

    reader: Reader
    options: Any
    base: Path
    settings: DataSettings

    @property
    def text(self) -> str:
        """Where the table comes from, for messages."""
        return self.reader.describe(self.options)

    def table(self) -> pd.DataFrame:
        """Read the whole table."""
        return self.reader.read(self.options, self.base)

    def batches(self) -> Iterator[Batch]:
        """Yield the segments of a family, a batch at a time, in the order of their names.

        A reader that can read single segments is asked for those of a batch when they are
        needed; any other table is read here and cut.

        Raises
        ------
        DataError
            Where the column of segments is absent or misses values.
        """
        column = self.settings.table.segment
        if column is None:
            yield Batch(source=self, segments=("",))
        elif isinstance(self.reader, FamilyReader):
            found = self.reader.segments(self.options, self.base, column)
            by_name = {str(value): value for value in found}
            for names in _cut(sorted(by_name)):
                yield Batch(
                    source=self, segments=names, values=tuple(by_name[name] for name in names)
                )
        else:
            yield from self._cut_table(column)

    def segment(self, name: str) -> tuple[pd.DataFrame, str]:
        """Return the table of one segment, and where its rows come from.

        Raises
        ------
        NotFoundError
            Where the table has no such segment.
        """
        for batch in self.batches():
            if name in batch.segments:
                only = batch.without(set(batch.segments) - {name})
                return dict(only.tables())[name], batch.describe(name)
        raise NotFoundError(f"{self.text} has no rows of segment {name!r} any more")

    def _cut_table(self, column: str) -> Iterator[Batch]:
        table = self.table()
        columns = Columns(table, self.text)
        columns.require([column])
        rows_of = _rows_by_value(texts(columns.known(column)))
        for names in _cut(sorted(rows_of)):
            parts = {name: _rows(table, rows_of[name]) for name in names}
            yield Batch(source=self, segments=names, parts=parts)


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Some segments of a source; small enough to send to another process.

    Attributes
    ----------
    segments
        Their names.
    values
        What the column of segments holds for each, where they are still to be read.
    parts
        Their tables, where they are read already.
    """

    source: Source
    segments: tuple[str, ...]
    values: tuple[Any, ...] = ()
    parts: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def tables(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the table of each segment.

        Raises
        ------
        DataError
            Where the table cannot be read.
        """
        column, source = self.source.settings.table.segment, self.source
        if not self.segments:
            return
        if column is None:
            yield "", source.table()
        elif self.parts:
            yield from self.parts.items()
        elif isinstance(source.reader, FamilyReader):
            table = source.reader.read_segments(
                source.options, source.base, column, list(self.values)
            )
            rows_of = _rows_by_value(table[column])
            for name, value in zip(self.segments, self.values, strict=True):
                yield name, _rows(table, rows_of[value])

    def without(self, segments: Container[str]) -> Batch:
        """Return the batch without some segments."""
        kept = [place for place, name in enumerate(self.segments) if name not in segments]
        names = tuple(self.segments[place] for place in kept)
        return replace(
            self,
            segments=names,
            values=tuple(self.values[place] for place in kept) if self.values else (),
            parts={name: self.parts[name] for name in names if name in self.parts},
        )

    def describe(self, segment: str) -> str:
        """Say where a segment's rows come from, for messages."""
        return f"{self.source.text}, segment {segment}" if segment else self.source.text


def source_of(settings: DataSettings, reader: Reader, base: Path) -> Source:
    """Return the table that settings describe, without reading it."""
    options = convert(settings.options, reader.options, "data.options")
    return Source(reader=reader, options=options, base=base, settings=settings)


def check_segment(name: str) -> str:
    """Return the name of a segment.

    Raises
    ------
    DataError
        Where a catalog could not hold it.
    """
    try:
        return msgspec.convert(name, Segment)
    except msgspec.ValidationError:
        raise DataError(
            f"{name!r:.130} cannot name a segment; expected up to 120 letters, digits, '_', '.' "
            "and '-', of which the first is a letter or a digit"
        ) from None


def _rows_by_value(values: pd.Series) -> dict[Any, NDArray[np.intp]]:
    """Return the numbers of the rows of each value, in their order."""
    import pandas as pd

    coded = isinstance(values.dtype, pd.CategoricalDtype)
    codes, found = (values.array.codes, values.array.categories) if coded else pd.factorize(values)
    ordered = (codes[1:] >= codes[:-1]).all()  # as of a table that is sorted by segment
    order = np.arange(len(codes)) if ordered else np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(found), dtype=codes.dtype))
    return dict(zip(found, np.split(order, starts)[1:], strict=True))


def _rows(table: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Return some rows, in their order; those that follow each other are not copied."""
    import pandas as pd

    first, last = rows[0], rows[-1]
    adjacent = last - first + 1 == len(rows)
    part = table.iloc[first : last + 1] if adjacent else table.iloc[rows]
    part.index = pd.RangeIndex(len(rows))
    return part


def _cut(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), BATCH):
        yield tuple(names[start : start + BATCH])
