"""What the parts of the catalog share: the database that they ask."""

from __future__ import annotations

from typing import Self
from weakref import finalize

from loopcast.store import database


class CatalogPart:
    """Methods of the catalog about one thing, over the engine that all its parts have.

    Connections close with it, at the latest when nobody holds it any longer.

    Parameters
    ----------
    url, create
        As for :class:`loopcast.store.catalog.Catalog`.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._engine = database.open_engine(url, create=create)
        try:
            database.prepare(self._engine, create=create)
        except BaseException:
            self._engine.dispose()
            raise
        finalize(self, self._engine.dispose)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
