"""Settings of the work itself: what is done, where, with what budget, and where state lives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from loopcast.api import Record
from loopcast.settings.conversion import LocalDate, is_day
from loopcast.settings.tables import Text


class JobSettings(Record, frozen=True):
    """What to do.

    Attributes
    ----------
    name
        ``predict`` trains only where no version was trained on the same data with the same
        settings; ``train`` always trains; ``serve`` never does, and takes the released version;
        ``retrain`` trains again what is due, and predicts nothing; ``night`` does the one and
        then the other in a single pass over the data.
    origin
        The first local day to forecast; the last one whose covariates are known where it is
        ``None``.
    at
        The moment of the run where it is not now: a replay of the past says it. A day in UTC, or
        a moment with a time zone.
    table
        Of a ranking, whether its lists are written as a table, too; with ``None``, where the job
        is not ``night``, whose lists are looked up. Other answers always are a table.
    """

    name: Literal["predict", "train", "serve", "retrain", "night"]
    origin: LocalDate | None = None
    at: Text | None = None
    table: bool | None = None

    def check(self) -> None:
        """The origin is a day of the calendar, and the moment is one."""
        self.require(is_day(self.origin), f"origin {self.origin} is not a day of the calendar")
        try:
            zoned = self.at is None or self.moment.tzinfo is not None
        except ValueError:
            zoned = False
        self.require(
            zoned, f"at {self.at} is no moment; expected 2014-12-31, or 2014-12-31T06:00:00Z"
        )

    @property
    def lists_as_table(self) -> bool:
        """Whether the lists of a ranking are written as a table."""
        return self.name != "night" if self.table is None else self.table

    @property
    def moment(self) -> datetime:
        """The moment of the run."""
        if self.at is None:
            return datetime.now(UTC)
        found = datetime.fromisoformat(self.at)
        return found.replace(tzinfo=UTC) if len(self.at) == len("2014-12-31") else found


class EngineSettings(Record, frozen=True):
    """Where work runs, and on how many workers.

    Attributes
    ----------
    name
        ``local``: processes of this machine; ``dask``: a Dask cluster.
    workers
        Processes to start, of one thread each; an existing scheduler brings its own.
    address
        An existing Dask scheduler; with ``None``, a cluster is started here for the run.
    timeout
        Seconds to wait for an existing scheduler, and for its first worker.
    """

    name: Literal["local", "dask"]
    workers: Annotated[int, msgspec.Meta(ge=1)]
    address: Text | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 30.0

    def check(self) -> None:
        """An address is one of a Dask scheduler."""
        if self.address is not None:
            self.require(self.name == "dask", f"address is for engine=dask, not {self.name}")
            fits = "://" in self.address
            self.require(fits, f"address {self.address} does not look like tcp://host:8786")


class StoreSettings(Record, frozen=True):
    """Where state lives: the home folder of runs, and the URL of each store."""

    home: Text
    catalog: Text
    artifacts: Text
    events: Text


class BudgetSettings(Record, frozen=True):
    """What the runs of one multirun may cost together; what is left when it is spent is skipped.

    Attributes
    ----------
    fits
        Runs that may train; one that finds its version costs nothing. Any number where ``None``.
    minutes
        After which no further run begins; any time where ``None``.
    """

    fits: Annotated[int, msgspec.Meta(ge=1)] | None = None
    minutes: Annotated[float, msgspec.Meta(gt=0.0)] | None = None


class PluginSettings(Record, frozen=True):
    """Plugins that are not imported at all, by name."""

    disable: tuple[str, ...] = ()
