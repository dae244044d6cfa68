"""The home of all state: where the stores are."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from loopcast.api import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.api import LogicalModel
    from loopcast.store.artifacts import Artifacts
    from loopcast.store.catalog import Catalog
    from loopcast.store.events import EventLog
    from loopcast.store.feedback import FeedbackLog
    from loopcast.store.truth import TruthStore

PRIVACY_KEY = "LOOPCAST_PRIVACY_KEY"
SHORTEST_KEY = 16

DEFAULT_HOME = "loopcast-home"
ABANDONED = timedelta(days=1)
"""How long files of a run that is not done are left to it."""


@dataclass(frozen=True)
class Home:
    """The stores, each opened when it is first used.

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

    @cached_property
    def truth(self) -> TruthStore:
        """What came true."""
        from loopcast.store.truth import TruthStore

        return TruthStore(f"{self.events_url.rstrip('/')}-truth")

    @cached_property
    def feedback(self) -> FeedbackLog:
        """What became of recommendations."""
        from loopcast.store.feedback import FeedbackLog

        return FeedbackLog(f"{self.events_url.rstrip('/')}-feedback")

    def sweep(self, older_than: timedelta = ABANDONED) -> int:
        """Remove what killed processes left half-written in run folders and artifacts.

        Parameters
        ----------
        older_than
            Of run folders: longer than a run goes without writing to a file that it has begun.

        Returns
        -------
        int
            How many files were removed.
        """
        before = time.time() - older_than.total_seconds()
        runs = (self.folder / name for name in ("runs", "multiruns"))
        begun = [
            path for run in runs for path in run.rglob(".*") if path.suffix in (".part", ".tmp")
        ]
        left = [path for path in begun if path.stat().st_mtime < before]
        for path in left:
            path.unlink()
        return len(left) + self.artifacts.sweep()

    def record(self, events: pa.Table, model: LogicalModel) -> None:
        """Log the events of a logical model, as its schema and its log settings want it."""
        from loopcast.store.recording import recorded

        self.events.append(recorded(events, model, lambda: self.privacy_key))

    @cached_property
    def privacy_key(self) -> bytes:
        """The secret of keyed hashes: from the environment, or a file of the home folder.

        The file is made where there is neither. Whoever loses the secret can no longer join
        what was hashed before with what is hashed later.

        Raises
        ------
        StoreError
            When it is too short to be a secret.
        """
        given = os.environ.get(PRIVACY_KEY, "").encode()
        secret = given or _secret_file(self.folder / "privacy.key")
        if len(secret) < SHORTEST_KEY:
            where = PRIVACY_KEY if given else self.folder / "privacy.key"
            raise StoreError(
                f"the secret in {where} has {len(secret)} characters; "
                f"a secret has {SHORTEST_KEY} or more"
            )
        return secret


def _secret_file(path: Path) -> bytes:
    """Return the secret in a file that only its owner reads, made where it is absent."""
    from loopcast.store.files import create_atomically

    if not path.exists():
        create_atomically(path, secrets.token_hex(32).encode(), mode=0o600)
    return path.read_bytes()


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
