"""What happened to a logical model in a span of time: volume, drift, performance, releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import Alert, LogicalModel, Release, Version
from loopcast.fleet.sums import condensed_days, errors_of
from loopcast.monitor import signals
from loopcast.monitor.bins import Floats
from loopcast.monitor.business import KpiCourse
from loopcast.monitor.calibration import Large
from loopcast.monitor.drifted import Drifted, Own, drifted, rows_with_inputs, window_of
from loopcast.monitor.findings import of_drift, of_performance, of_traffic
from loopcast.monitor.intervals import IntervalCoverage
from loopcast.monitor.missing import Missing
from loopcast.monitor.odd_keys import OddKeys
from loopcast.monitor.outcomes import Outcomes, outcomes_of
from loopcast.monitor.performance import Coverage, Performance
from loopcast.monitor.reference import REFERENCE_FILE, read_reference
from loopcast.monitor.served import Served, Watched, served_in
from loopcast.monitor.totals import daily_use, known_by_sums
from loopcast.monitor.traffic import Traffic, traffic
from loopcast.monitor.unwatched import unwatched
from loopcast_edge.wire import Errors

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """One segment of a logical model over a span of time.

    Attributes
    ----------
    days
        Each day of the span in UTC.
    volume : mapping of str to ndarray, shape (days,)
        Events that served by version.
    latency : ndarray, shape (days,)
        95 % of the answers of a day took no longer, in milliseconds; NaN where there are none.
    actions
        Number of events that served by what was done with them; those of which only sums are
        known are left out.
    by_sums
        Number of events of devices that had no space for them: they are in the volume, and only
        sums of them are known.
    seen
        Errors that devices have seen themselves on days that they had no space for all events of.
    repeated, ahead
        Number of events that repeat another, and of those whose time has not come: their clock
        is wrong.
    odd
        Events of a forecast whose key no forecast has, by version.
    version
        Whose inputs and outputs were compared with its reference; ``None`` where none has one.
    drift
        Of its inputs and outputs; ``None`` where there is no version to compare with.
    registered
        The KPI in the contest of the version.
    unwatched
        Rows of the policy that nothing is looked for by, and why.
    """

    logical_model: LogicalModel
    segment: str
    start: datetime
    end: datetime
    days: pd.DatetimeIndex
    volume: Mapping[str, NDArray[np.int64]]
    latency: Floats
    actions: Mapping[str, int]
    by_sums: int
    seen: Errors
    repeated: int
    ahead: int
    odd: tuple[OddKeys, ...]
    version: Version | None
    drift: Drifted | None
    performance: tuple[Performance, ...]
    coverage: Coverage
    registered: float | None
    intervals: tuple[IntervalCoverage, ...]
    calibration: Large | None
    missing: Missing
    business: tuple[KpiCourse, ...]
    releases: tuple[Release, ...]
    experiments: tuple[Trial, ...]
    unwatched: Mapping[str, str]
    found: tuple[Alert, ...]


def watch(watched: Watched, home: Home, at: datetime) -> Report:
    """Look at the events of a segment.

    Volume, latency and drift are those of the days as they are counted; days that are over are
    counted once. Events are read for what their outcomes tell, and for the domain classifier.

    Parameters
    ----------
    at
        Now, for what is found.

    Raises
    ------
    DataError
        When there are no events.
    """
    model, span = watched.model, (watched.start, watched.end)
    served = served_in(watched, home, at)
    usage, results = _usage(served), outcomes_of(served, home)
    drift = _drift(served, home)
    return Report(
        logical_model=model,
        segment=watched.segment,
        start=span[0],
        end=span[1],
        days=served.days,
        volume=_volume(served),
        latency=daily_use([watched.segment], served.total, len(served.days))[1][0],
        actions=served.actions,
        by_sums=known_by_sums(served.total),
        seen=_seen(served, home),
        repeated=served.repeated,
        ahead=served.ahead,
        odd=served.odd,
        version=served.version,
        drift=drift,
        performance=results.performance,
        coverage=results.coverage,
        registered=None if results.moved is None else results.moved.then,
        intervals=results.intervals,
        calibration=results.calibration,
        missing=results.missing,
        business=results.business,
        releases=tuple(
            r for r in home.catalog.history(model.name, watched.segment) if r.since < span[1]
        ),
        experiments=tuple(
            trial
            for trial in home.catalog.experiments(model.name, [watched.segment])
            if trial.begun is not None and trial.begun < span[1]
        ),
        unwatched=unwatched(
            watched.plan, model, watched.kpi, family=False, only_parts=results.only_of_parts
        ),
        found=watched.plan.addressed(_found(served, usage, drift, results)),
    )


def _drift(served: Served, home: Home) -> Drifted | None:
    watched, version = served.watched, served.version
    if version is None:
        return None
    own = Own(
        reference=read_reference(served.files[REFERENCE_FILE]),
        days=served.counted,
        window=window_of(watched.model, version, watched.start, watched.end),
        complete=served.complete,
    )
    rows = partial(rows_with_inputs, own, watched.model, home) if watched.separate else None
    share = watched.plan.threshold("bad_day")
    return drifted(own, watched.plan.limits, watched.every, day_share=share, rows=rows)


def _seen(served: Served, home: Home) -> Errors:
    """Return what devices saw themselves on days that they had no space for."""
    first, last = served.days[0].date(), served.days[-1].date()
    days = condensed_days(home.catalog, served.watched.model.name)
    inside = [of_day for day, of_day in days.items() if first <= day <= last]
    return errors_of(inside, served.watched.segment)


def _usage(served: Served) -> Traffic:
    complete = served.days[served.days < pd.Timestamp(served.complete)]
    counts, latency = daily_use([served.watched.segment], served.total, len(served.days))
    return traffic(complete, counts[:, : len(complete)], latency[:, : len(complete)])


def _found(
    served: Served, usage: Traffic, drift: Drifted | None, results: Outcomes
) -> Iterator[Alert]:
    """Yield whatever was found, whether or not the plan wants to hear of it."""
    watched, plan = served.watched, served.watched.plan
    of = signals.Subject(
        logical_model=watched.model.name,
        segment=watched.segment,
        at=served.at,
        version=served.version.id if served.version else None,
    )
    if drift is not None:
        yield from of_drift(drift.records, served.at)
        yield from signals.of_separation(of, drift.separation, plan.threshold("separation"))
    yield from of_traffic(
        watched.model.name,
        [watched.segment],
        usage,
        served.at,
        volume=plan.chance("volume"),
        latency=plan.chance("latency"),
    )
    yield from of_performance(
        watched.model,
        watched.segment,
        results.moved,
        served.at,
        least_change=plan.threshold("performance"),
    )
    yield from signals.of_intervals(of, results.intervals, plan.threshold("coverage"))
    yield from signals.of_calibration(of, results.calibration, plan.threshold("calibration"))
    yield from signals.of_missing(of, results.missing, plan.threshold("missing_predictions"))
    yield from signals.of_strange(of, results.strange)
    yield from signals.of_business(of, results.business, plan.threshold("business_kpi"))
    yield from signals.of_bad_day(
        of,
        served.complete - timedelta(days=1),
        () if drift is None else drift.last_day,
        served.repeated_last_day,
        plan.threshold("bad_day"),
    )
    yield from signals.of_odd_keys(
        of,
        served.complete - timedelta(days=1),
        served.odd,
        served.odd_last_day,
        plan.threshold("bad_day"),
    )


def _volume(served: Served) -> dict[str, NDArray[np.int64]]:
    found: dict[str, NDArray[np.int64]] = {}
    for total in served.total:
        for group, rows in zip(total.groups, total.rows, strict=True):
            if not group.subset:
                found[group.version] = found.get(group.version, 0) + rows
    return found
