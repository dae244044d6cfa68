"""What happened to a logical model in a span of time: volume, drift, performance, releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    Alert,
    DataError,
    ForecastSchema,
    LogicalModel,
    MetricDefinition,
    Release,
    Version,
    place_name,
)
from loopcast.deploy.bundle import read_bundle
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.monitor import signals
from loopcast.monitor.bins import Floats
from loopcast.monitor.business import KpiCourse, input_columns, watched_kpis
from loopcast.monitor.calibration import Large, calibration_in_the_large
from loopcast.monitor.counted import on_day_before, once
from loopcast.monitor.counting import SERVED, segment_days
from loopcast.monitor.daily import Day
from loopcast.monitor.drifted import Drifted, Own, drifted, rows_with_inputs, window_of
from loopcast.monitor.findings import Moved, of_drift, of_performance, of_traffic
from loopcast.monitor.intervals import IntervalCoverage, interval_coverage
from loopcast.monitor.kpi import RESULT_COLUMNS, measurable, moved, registered
from loopcast.monitor.missing import Missing, missing_answers, missing_forecasts, nothing_missing
from loopcast.monitor.performance import (
    Coverage,
    Every,
    Performance,
    labelled_events,
    overall_estimate,
    performance,
)
from loopcast.monitor.plan import Plan, usual_plan
from loopcast.monitor.reference import REFERENCE_FILE, read_reference
from loopcast.monitor.totals import Total, daily_use, totals
from loopcast.monitor.traffic import Traffic, traffic
from loopcast.store.truth import join

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
        Number of events by what was done with them.
    repeated, ahead
        Number of events that repeat another, and of those whose time has not come: their clock
        is wrong.
    version
        Whose inputs and outputs were compared with its reference; ``None`` where none has one.
    drift
        Of its inputs and outputs; ``None`` where there is no version to compare with.
    registered
        The KPI in the contest of the version.
    """

    logical_model: LogicalModel
    segment: str
    start: datetime
    end: datetime
    days: pd.DatetimeIndex
    volume: Mapping[str, NDArray[np.int64]]
    latency: Floats
    actions: Mapping[str, int]
    repeated: int
    ahead: int
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
    found: tuple[Alert, ...]


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
    columns = [*RESULT_COLUMNS, *input_columns(model)]
    events = home.events.read(model.name, *span, segment=watched.segment, columns=columns)
    if not events.num_rows:
        raise DataError(
            f"{place_name(model.name, watched.segment)} has no events from {span[0]:%Y-%m-%d} "
            f"until {span[1]:%Y-%m-%d}; predict first, or look at other days"
        )
    served = _served(watched, home, events, at)
    usage, results = _usage(served), _results(served, home)
    drift = _drift(served, home)
    return Report(
        logical_model=model,
        segment=watched.segment,
        start=span[0],
        end=span[1],
        days=served.days,
        volume=_volume(served),
        latency=daily_use([watched.segment], served.total, len(served.days))[1][0],
        actions=_counts(events["action"]),
        repeated=served.repeated,
        ahead=int(pc.sum(pc.greater(events["time"], pa.scalar(at, events["time"].type))).as_py()),
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
        found=watched.plan.addressed(_found(served, usage, drift, results)),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Served:
    """What served, once each, and what is known of the version that served last.

    Attributes
    ----------
    complete
        Midnight in UTC: days before it are over.
    counted
        Each day of the segment, as its sketches count it.
    total
        Their sum.
    repeated_last_day
        Share of the events of the last complete day that repeat another.
    """

    watched: Watched
    at: datetime
    complete: datetime
    days: pd.DatetimeIndex
    counted: Sequence[tuple[date, Day]]
    total: Sequence[Total]
    events: pa.Table
    repeated: int
    repeated_last_day: float
    truth: pa.Table
    version: Version | None
    files: Mapping[str, bytes]

    def own(self, table: pa.Table) -> pa.Table:
        """Return the events of the version."""
        assert self.version is not None
        return table.filter(pc.equal(table["version"], self.version.id))


def _served(watched: Watched, home: Home, events: pa.Table, at: datetime) -> _Served:
    logged = events.filter(pc.is_in(events["role"], pa.array(SERVED)))
    served = once(logged)
    version, files = _version_of(served, home)
    complete = min(at.replace(hour=0, minute=0, second=0, microsecond=0), watched.end)
    last_day = [on_day_before(table, complete).num_rows for table in (logged, served)]
    days = pd.date_range(watched.start, watched.end, freq="D", inclusive="left").normalize()
    span = days[0].date(), days[-1].date()
    counted = tuple(segment_days(home, watched.model, watched.segment, span, at))
    return _Served(
        watched=watched,
        at=at,
        complete=complete,
        days=days,
        counted=counted,
        total=totals(counted, *span),
        events=served,
        repeated=logged.num_rows - served.num_rows,
        repeated_last_day=1.0 - last_day[1] / last_day[0] if last_day[0] else 0.0,
        truth=home.truth.latest(watched.model.name),
        version=version,
        files=files,
    )


def _version_of(events: pa.Table, home: Home) -> tuple[Version | None, Mapping[str, bytes]]:
    """Return the version that served last and has a reference, with its files."""
    if not events.num_rows:
        return None, {}
    newest = events.sort_by([("time", "descending")])["version"][0].as_py()
    version = home.catalog.version(newest)
    files = read_bundle(home.artifacts, version.manifest).files
    return (version, files) if REFERENCE_FILE in files else (None, files)


def _drift(served: _Served, home: Home) -> Drifted | None:
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
    return drifted(own, watched.plan.limits, watched.every, rows=rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Results:
    """What came of the predictions."""

    performance: tuple[Performance, ...]
    coverage: Coverage
    moved: Moved | None
    intervals: tuple[IntervalCoverage, ...]
    calibration: Large | None
    missing: Missing
    business: tuple[KpiCourse, ...]


def _results(served: _Served, home: Home) -> _Results:
    watched = served.watched
    joined = join(served.events, served.truth)
    labelled = labelled_events(joined, watched.model)
    metrics = measurable(watched.metrics, watched.model)
    kpis = watched_kpis(home, watched.model, joined, served.days, [watched.segment])
    return _Results(
        performance=tuple(performance(labelled, metrics, watched.every)),
        coverage=labelled.coverage,
        moved=_moved(served, joined),
        intervals=interval_coverage(labelled),
        calibration=calibration_in_the_large(labelled, watched.model, served.at),
        missing=_missing(served, home),
        business=kpis.get(watched.segment, ()),
    )


def _moved(served: _Served, joined: pa.Table) -> Moved | None:
    """Return how the KPI of the version has moved since its contest."""
    kpi, version = served.watched.kpi, served.version
    if kpi is None or version is None or not measurable([kpi], served.watched.model):
        return None
    labelled = labelled_events(served.own(joined), served.watched.model)
    if not len(labelled.known):
        return None
    judged = read_judged(served.files[JUDGED_FILE], served.watched.model.task)
    return moved(version.id, registered(judged, kpi), overall_estimate(labelled, kpi))


def _missing(served: _Served, home: Home) -> Missing:
    model, until = served.watched.model, pd.Timestamp(served.complete)
    if isinstance(model.schema, ForecastSchema):
        return missing_forecasts(served.events, model.schema, until)
    observed, truth = served.truth["observed"], served.truth
    inside = pc.and_(
        pc.equal(truth["segment"], served.watched.segment),
        pc.and_(
            pc.greater_equal(observed, pa.scalar(served.watched.start, observed.type)),
            pc.less(observed, pa.scalar(served.complete, observed.type)),
        ),
    )
    # An outcome of these days may belong to a prediction of long ago.
    predicted = home.events.read(
        model.name, segment=served.watched.segment, columns=["segment", "key"]
    )
    found = missing_answers(predicted, truth.filter(inside))
    return found.get(served.watched.segment, nothing_missing())


def _usage(served: _Served) -> Traffic:
    complete = served.days[served.days < pd.Timestamp(served.complete)]
    counts, latency = daily_use([served.watched.segment], served.total, len(served.days))
    return traffic(complete, counts[:, : len(complete)], latency[:, : len(complete)])


def _found(
    served: _Served, usage: Traffic, drift: Drifted | None, results: _Results
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
    yield from signals.of_business(of, results.business, plan.threshold("business_kpi"))
    yield from signals.of_bad_day(
        of,
        served.complete - timedelta(days=1),
        () if drift is None else drift.last_day,
        served.repeated_last_day,
        plan.threshold("bad_day"),
    )


def _volume(served: _Served) -> dict[str, NDArray[np.int64]]:
    return {
        group.version: rows
        for total in served.total
        for group, rows in zip(total.groups, total.rows, strict=True)
        if not group.subset
    }


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in values.value_counts().to_pylist()}
