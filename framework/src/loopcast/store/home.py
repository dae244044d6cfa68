"""The home of all state: where the three stores are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopcast.store.artifacts import Artifacts
    from loopcast.store.catalog import Catalog
    from loopcast.store.events import EventLog

DEFAULT_HOME = "loopcast-home"


@dataclass(frozen=True)
class Home:
    """The three stores, each opened when it is first used.

    Attributes
    ----------
    folder
        Where run directories and embedded stores are.
    catalog_url, artifacts_url, events_url
        Where the stores are.
    create
        Whether an absent catalog is created.
    """

    folder: Path
    catalog_url: str
    artifacts_url: str
    events_url: str
    create: bool = True

    @property
    def catalog_name(self) -> str:
        """Where the catalog is, for messages: without a password."""
        from sqlalchemy import make_url

        return repr(make_url(self.catalog_url)) if "://" in self.catalog_url else self.catalog_url

    @cached_property
    def catalog(self) -> Catalog:
        """Versions, evaluations and releases."""
        from loopcast.store.catalog import Catalog

        return Catalog(self.catalog_url, create=self.create)

    @cached_property
    def artifacts(self) -> Artifacts:
        """Content-addressed files."""
        from loopcast.store.artifacts import Artifacts

        return Artifacts(self.artifacts_url)

    @cached_property
    def events(self) -> EventLog:
        """What was predicted."""
        from loopcast.store.events import EventLog

        return EventLog(self.events_url)


def open_home(
    home: str | Path = DEFAULT_HOME,
    *,
    catalog: str = "",
    artifacts: str = "",
    events: str = "",
    create: bool = True,
) -> Home:
    """Return the stores of a home folder, or those at the URLs that are given.

    Examples
    --------
    >>> open_home("/srv/loopcast", catalog="postgresql://db/loopcast").artifacts_url
    '/srv/loopcast/artifacts'
    """
    folder = Path(home).expanduser().absolute()
    return Home(
        folder=folder,
        catalog_url=catalog or str(folder / "catalog.db"),
        artifacts_url=artifacts or str(folder / "artifacts"),
        events_url=events or str(folder / "events"),
        create=create,
    )
