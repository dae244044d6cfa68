"""What served in one segment: its events, each once, and its days as they are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError, LogicalModel, MetricDefinition, Version, place_name
from loopcast.deploy.bundle import read_bundle
from loopcast.monitor.business import input_columns
from loopcast.monitor.counted import on_day_before, used
from loopcast.monitor.counting import segment_days
from loopcast.monitor.daily import Day
from loopcast.monitor.kpi import RESULT_COLUMNS
from loopcast.monitor.odd_keys import OddKeys, together
from loopcast.monitor.performance import Every
from loopcast.monitor.plan import Plan, usual_plan
from loopcast.monitor.reference import REFERENCE_FILE
from loopcast.monitor.summed import known_outcomes
from loopcast.monitor.totals import Total, totals
from loopcast.store.event_table import once

if TYPE_CHECKING:
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Watched:
    """What is watched, and from where on a difference counts.

    Attributes
    ----------
    separate
        Whether to ask the domain classifier, which takes a second or two.
    """

    model: LogicalModel
    segment: str
    start: datetime
    end: datetime
    metrics: Sequence[MetricDefinition]
    every: Every = "week"
    plan: Plan = field(default_factory=usual_plan)
    separate: bool = False

    @property
    def kpi(self) -> MetricDefinition | None:
        """The metric of the KPI; ``None`` where nobody offers it."""
        wanted = self.model.kpi.metric
        return next((metric for metric in self.metrics if metric.name == wanted), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Served:
    """What served, once each, and what is known of the version that served last.

    Attributes
    ----------
    complete
        Midnight in UTC: days before it are over.
    actions
        Number of these events by what was done with them.
    ahead
        Number of events whose time has not come.
    counted
        Each day of the segment, as its sketches count it.
    total
        Their sum.
    odd
        Those whose key no forecast has.
    repeated_last_day, odd_last_day
        Share of the events of the last complete day that repeat another, and of those of its
        distinct events whose key no forecast has.
    """

    watched: Watched
    at: datetime
    complete: datetime
    days: pd.DatetimeIndex
    counted: Sequence[tuple[date, Day]]
    total: Sequence[Total]
    events: pa.Table
    actions: Mapping[str, int]
    ahead: int
    repeated: int
    odd: tuple[OddKeys, ...]
    repeated_last_day: float
    odd_last_day: float
    truth: pa.Table
    version: Version | None
    files: Mapping[str, bytes]

    def own(self, table: pa.Table) -> pa.Table:
        """Return the events of the version."""
        assert self.version is not None
        return table.filter(pc.equal(table["version"], self.version.id))


def served_in(watched: Watched, home: Home, at: datetime) -> Served:
    """Read the events of a segment, and count the days that are over.

    Parameters
    ----------
    at
        Now.

    Raises
    ------
    DataError
        When there are no events.
    """
    events = _events(watched, home)
    logged = used(events)
    distinct = once(logged)
    version, files = _version_of(distinct, home)
    complete = min(at.replace(hour=0, minute=0, second=0, microsecond=0), watched.end)
    last_day = [on_day_before(table, complete).num_rows for table in (logged, distinct)]
    days = pd.date_range(watched.start, watched.end, freq="D", inclusive="left").normalize()
    span = days[0].date(), days[-1].date()
    counted = tuple(segment_days(home, watched.model, watched.segment, span, at))
    total = totals(counted, *span)
    odd = {day: each.odd for day, each in counted}
    odd_last = odd.get((complete - timedelta(days=1)).date(), ())
    _require_some(watched, events, total)
    ahead = pc.greater(events["time"], pa.scalar(at, events["time"].type))
    return Served(
        watched=watched,
        at=at,
        complete=complete,
        days=days,
        counted=counted,
        total=total,
        events=distinct,
        actions=_counts(distinct["action"]),
        ahead=int(pc.sum(ahead, min_count=0).as_py()),
        repeated=logged.num_rows - distinct.num_rows,
        odd=together(each for of_day in odd.values() for each in of_day),
        repeated_last_day=1.0 - last_day[1] / last_day[0] if last_day[0] else 0.0,
        odd_last_day=sum(e.events for e in odd_last) / last_day[1] if last_day[1] else 0.0,
        truth=known_outcomes(home, watched.model),
        version=version,
        files=files,
    )


def _events(watched: Watched, home: Home) -> pa.Table:
    name, start, end = watched.model.name, watched.start, watched.end
    columns = [*RESULT_COLUMNS, *input_columns(watched.model)]
    return home.events.read(name, start, end, segment=watched.segment, columns=columns)


def _require_some(watched: Watched, events: pa.Table, total: Sequence[Total]) -> None:
    """Refuse a span without an event, unless there are some of which only sums came."""
    if not (events.num_rows or total):
        raise DataError(
            f"{place_name(watched.model.name, watched.segment)} has no events from "
            f"{watched.start:%Y-%m-%d} until {watched.end:%Y-%m-%d}; predict first, or look at "
            "other days"
        )


def _version_of(events: pa.Table, home: Home) -> tuple[Version | None, Mapping[str, bytes]]:
    """Return the champion that served last and has a reference, with its files.

    Where none did, the version that served last.
    """
    if not events.num_rows:
        return None, {}
    champions = events.filter(pc.equal(events["role"], "champion"))
    newest = (champions if champions.num_rows else events).sort_by([("time", "descending")])
    version = home.catalog.version(newest["version"][0].as_py())
    files = read_bundle(home.artifacts, version.manifest).files
    return (version, files) if REFERENCE_FILE in files else (None, files)


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in values.value_counts().to_pylist()}
