"""Parquet files, whole or by segments."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from loopcast.api import DataError
from loopcast.store.readers.file import FileOptions, existing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData

_LENGTH = 4
"""Bytes in which a Parquet file says how long a text is, where it writes each."""


@contextmanager
def _parquet(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowIndexError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the file's
        raise DataError(f"data file {path} is not a Parquet file: {error}") from None


class ParquetReader:
    """Reads a Parquet file."""

    name = "parquet"
    summary = "a Parquet file"
    options = FileOptions

    def read(self, options: FileOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the file is absent, empty or no Parquet file.
        """
        import pyarrow.parquet as pq

        path = existing(options.path, base)
        with _parquet(path):
            table = pq.read_table(path)
        # Columns are handed over one by one, so that a large table is not in memory twice.
        frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
        return frame

    def segments(self, options: FileOptions, base: Path, column: str) -> Sequence[Any]:
        """Return the distinct values of a column, without reading any other.

        Raises
        ------
        DataError
            As :meth:`read`, or where the column is absent or misses values.
        """
        import pyarrow.parquet as pq

        path = existing(options.path, base)
        found: dict[Any, None] = {}
        missing = 0
        with _parquet(path):
            described = _described(path, column)
            file = pq.ParquetFile(path, metadata=described, read_dictionary=[column])
            # In parts: a column of tens of millions of rows is larger than all else of a run.
            for part in file.iter_batches(columns=[column]):
                missing += part.column(0).null_count
                found |= dict.fromkeys(part.column(0).unique().to_pylist())
        if missing:
            raise DataError(
                f"{path}: column {column!r}: {missing} missing values; expected the "
                "segment of each row"
            )
        return list(found)

    def read_segments(
        self, options: FileOptions, base: Path, column: str, values: Sequence[Any]
    ) -> pd.DataFrame:
        """Read the rows of some segments; raises as :meth:`segments` does.

        Only row groups that may hold them are read, which are few where the file is sorted by
        segment. Texts that repeat are categories in alphabetical order, so that each name is
        decoded and put in its place once for all segments.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = existing(options.path, base)
        with _parquet(path):
            described = _described(path, column)
            groups = _groups_of(path, described, column, sorted(values))
            names, wanted = _repeated(described, groups), frozenset(values)
            file = pq.ParquetFile(path, metadata=described, read_dictionary=names)
            parts = file.iter_batches(row_groups=groups, use_threads=False)
            own = [_rows_of(part, column, wanted) for part in parts]
            table = pa.Table.from_batches(own, file.schema_arrow)
            for place, name in enumerate(table.column_names):
                if name in names:
                    table = table.set_column(place, name, _in_order(table.column(place)))
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def describe(self, options: FileOptions) -> str:
        """Return the file's path."""
        return options.path


def _described(path: Path, column: str) -> FileMetaData:
    """Return what a file says of itself; refuse one without a column."""
    described = _footer(path, _state(path))
    names = described.schema.to_arrow_schema().names
    if column not in names:
        raise DataError(f"{path}: no column {column!r} (columns: {', '.join(names)})")
    return described


State: TypeAlias = tuple[int, int, int]
"""What changes when a file is written or replaced: its number, time and size."""


def _state(path: Path) -> State:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


# Of a file of thousands of row groups, what it says of itself takes longer to read than a batch
# of segments; a process reads it once, and anew when the file has changed.
@lru_cache(maxsize=1)
def _footer(path: Path, state: State) -> FileMetaData:
    import pyarrow.parquet as pq

    return pq.read_metadata(path)


@lru_cache(maxsize=1)
def _bounds(path: Path, state: State, column: str) -> list[tuple[Any, Any] | None]:
    """Return the smallest and largest value in each row group, where it tells."""
    described = _footer(path, state)
    paths = [described.schema.column(place).path for place in range(described.num_columns)]
    place = paths.index(column)
    groups = (described.row_group(group) for group in range(described.num_row_groups))
    found = (group.column(place).statistics for group in groups)
    return [(s.min, s.max) if s is not None and s.has_min_max else None for s in found]


def _groups_of(
    path: Path, described: FileMetaData, column: str, values: Sequence[Any]
) -> list[int]:
    """Return the row groups that may hold some values, given in order, by their statistics."""
    if not all(isinstance(value, str | int) for value in values):
        return list(range(described.num_row_groups))  # statistics of other types may not compare

    def may_hold(bounds: tuple[Any, Any] | None) -> bool:
        if bounds is None:
            return True
        least, most = bounds
        nearest = bisect_left(values, least)
        return nearest < len(values) and values[nearest] <= most

    told = _bounds(path, _state(path), column)
    return [group for group, bounds in enumerate(told) if may_hold(bounds)]


def _repeated(described: FileMetaData, groups: Sequence[int]) -> list[str]:
    """Return columns of texts that repeat: of fewer bytes than the length of each would take."""
    import pyarrow as pa

    schema = described.schema.to_arrow_schema()
    texts = {
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    }
    first = [described.row_group(group) for group in groups[:1]]
    chunks = [group.column(place) for group in first for place in range(described.num_columns)]
    return [
        chunk.path_in_schema
        for chunk in chunks
        if chunk.path_in_schema in texts
        and chunk.total_uncompressed_size < _LENGTH * chunk.num_values
    ]


def _rows_of(part: pa.RecordBatch, column: str, values: frozenset[Any]) -> pa.RecordBatch:
    """Return the rows of some segments; where there are no others, as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = part.column(column)
    coded = isinstance(own, pa.DictionaryArray)
    known = own.dictionary if coded else own
    if values.issuperset(known.unique().to_pylist()):
        return part
    wanted = pc.is_in(known, pa.array(list(values), known.type))
    return part.filter(wanted.take(own.indices) if coded else wanted)


def _in_order(column: pa.ChunkedArray) -> pa.Array:
    """Return codes of texts as codes of one alphabet, in alphabetical order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column.validate(full=True)  # codes are as the file has them: a damaged one may have any
    codes = column.unify_dictionaries().combine_chunks()
    order = pc.sort_indices(codes.dictionary)
    place = pc.sort_indices(order).cast(codes.indices.type)
    # They lie in their alphabet, and need not be checked twice more.
    ordered = pc.take(place, codes.indices, boundscheck=False)
    return pa.DictionaryArray.from_arrays(ordered, codes.dictionary.take(order), safe=False)
