"""What happened to a logical model in a span of time: volume, drift, performance, releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    Alert,
    DataError,
    Drift,
    DriftThresholds,
    LogicalModel,
    MetricDefinition,
    RankSchema,
    Release,
    Version,
)
from loopcast.deploy.bundle import read_bundle
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.monitor.bins import Floats
from loopcast.monitor.counted import chosen_rows, count_rows, once
from loopcast.monitor.counting import SERVED
from loopcast.monitor.drift import Measured, Window, drifts, limits_of, measure
from loopcast.monitor.findings import Moved, of_drift, of_performance, of_traffic
from loopcast.monitor.kpi import moved, registered
from loopcast.monitor.performance import (
    Coverage,
    Every,
    Performance,
    labelled_events,
    overall_estimate,
    performance,
    period_codes,
)
from loopcast.monitor.reference import (
    MONTHS,
    REFERENCE_FILE,
    Reference,
    in_season,
    read_reference,
    recent_design,
)
from loopcast.monitor.sketch import Sketch
from loopcast.monitor.traffic import traffic
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home

THRESHOLDS = DriftThresholds()


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """One segment of a logical model over a span of time.

    Attributes
    ----------
    days
        Each day of the span in UTC.
    volume : mapping of str to ndarray, shape (days,)
        Events by version.
    latency : ndarray, shape (days,)
        95 % of the answers of a day took no longer, in milliseconds; NaN where there are none.
    actions
        Number of events by what was done with them.
    version
        Whose inputs and outputs were compared with its reference; ``None`` where none has one.
    measured, drifts
        Of the whole span.
    windows, window_ks : ndarray, shape (windows, inputs)
        Starts of the windows, and the Kolmogorov–Smirnov statistic of numbers, the
        Jensen–Shannon distance of categories, in each.
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
    version: Version | None
    measured: Measured | None
    drifts: tuple[Drift, ...]
    windows: pd.DatetimeIndex
    window_ks: Floats
    performance: tuple[Performance, ...]
    coverage: Coverage | None
    registered: float | None
    releases: tuple[Release, ...]
    found: tuple[Alert, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Watched:
    """What is watched, and from where on a difference counts."""

    model: LogicalModel
    segment: str
    start: datetime
    end: datetime
    metrics: Sequence[MetricDefinition]
    every: Every = "week"
    thresholds: DriftThresholds = THRESHOLDS


def watch(watched: Watched, home: Home, at: datetime) -> Report:
    """Look at the events of a segment.

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
    events = home.events.read(model.name, *span, segment=watched.segment)
    if not events.num_rows:
        raise DataError(
            f"{model.name} {watched.segment} has no events from {span[0]:%Y-%m-%d} until "
            f"{span[1]:%Y-%m-%d}; predict first, or look at other days"
        )
    served = once(events.filter(pc.is_in(events["role"], pa.array(SERVED))))
    version, files = _version_of(served, home)
    drift = _drift(watched, served, version, files)
    results, coverage, kpi = _performance(watched, served, home, version, files)
    days = pd.date_range(span[0], span[1], freq="D", inclusive="left").normalize()
    volume, latency = _volume(events, days), _latency(events, days)
    total, complete = (
        np.sum(list(volume.values()), axis=0),
        days <= pd.Timestamp(at) - pd.Timedelta(days=1),
    )
    found = [
        *of_drift(drift.records, at),
        *of_traffic(
            model.name,
            [watched.segment],
            traffic(days[complete], total[None, complete], latency[None, complete]),
            at,
        ),
        *of_performance(watched.model, watched.segment, kpi, at),
    ]
    return Report(
        logical_model=model,
        segment=watched.segment,
        start=span[0],
        end=span[1],
        days=days,
        volume=volume,
        latency=latency,
        actions=_counts(events["action"]),
        version=version,
        measured=drift.measured,
        drifts=tuple(drift.records),
        windows=drift.windows,
        window_ks=drift.window_ks,
        performance=tuple(results),
        coverage=coverage,
        registered=None if kpi is None else kpi.then,
        releases=tuple(
            r for r in home.catalog.history(model.name, watched.segment) if r.since < span[1]
        ),
        found=tuple(found),
    )


def _version_of(events: pa.Table, home: Home) -> tuple[Version | None, Mapping[str, bytes]]:
    """Return the version that served last and has a reference, with its files."""
    if not events.num_rows:
        return None, {}
    newest = events.sort_by([("time", "descending")])["version"][0].as_py()
    version = home.catalog.version(newest)
    files = read_bundle(home.artifacts, version.manifest).files
    return (version, files) if REFERENCE_FILE in files else (None, files)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Drifted:
    measured: Measured | None
    records: Sequence[Drift]
    windows: pd.DatetimeIndex
    window_ks: Floats


def _drift(
    watched: Watched, served: pa.Table, version: Version | None, files: Mapping[str, bytes]
) -> _Drifted:
    nothing = pd.DatetimeIndex([], tz="UTC")
    if version is None:
        return _Drifted(measured=None, records=(), windows=nothing, window_ks=np.zeros((0, 0)))
    own = served.filter(pc.equal(served["version"], version.id))
    months = np.bincount(pc.month(own["time"]).to_numpy() - 1, minlength=MONTHS)
    reference = in_season(read_reference(files[REFERENCE_FILE]), months.astype(np.float64))
    _, days = _counted(watched.model, reference, own, "day")
    design = recent_design(reference, days)
    measured = measure(reference, days.pooled(), design)
    window = Window(
        logical_model=watched.model.name,
        segment=watched.segment,
        version=version.id,
        start=watched.start,
        end=watched.end,
    )
    windows, groups = _counted(watched.model, reference, own, watched.every)
    in_windows = measure(reference, groups, design)
    numeric = np.isfinite(in_windows.ks)
    return _Drifted(
        measured=measured,
        records=drifts(measured, [window], limits_of(watched.thresholds)),
        windows=windows,
        window_ks=np.where(numeric, in_windows.ks, in_windows.jensen_shannon),
    )


def _counted(
    model: LogicalModel, reference: Reference, events: pa.Table, every: Every
) -> tuple[pd.DatetimeIndex, Sketch]:
    """Return the starts of windows, and a group of counts for each."""
    codes, starts = period_codes(events["time"].to_pandas(), every)
    base = chosen_rows(events, np.zeros(len(codes), dtype=np.intp), codes)
    return starts, count_rows(events, model, [reference], base, len(starts))


def _performance(
    watched: Watched,
    served: pa.Table,
    home: Home,
    version: Version | None,
    files: Mapping[str, bytes],
) -> tuple[list[Performance], Coverage | None, Moved | None]:
    if isinstance(watched.model.schema, RankSchema):
        return [], None, None
    latest = home.truth.latest(watched.model.name)
    labelled = labelled_events(join(served, latest), watched.model)
    results = performance(labelled, watched.metrics, watched.every)
    kpi = [m for m in watched.metrics if m.name == watched.model.kpi.metric]
    if version is None or not kpi or not len(labelled.known):
        return results, labelled.coverage, None
    own = labelled_events(
        join(served.filter(pc.equal(served["version"], version.id)), latest), watched.model
    )
    judged = read_judged(files[JUDGED_FILE], watched.model.task)
    change = moved(version.id, registered(judged, kpi[0]), overall_estimate(own, kpi[0]))
    return results, labelled.coverage, change


def _volume(events: pa.Table, days: pd.DatetimeIndex) -> dict[str, NDArray[np.int64]]:
    place = days.get_indexer(pd.DatetimeIndex(events["time"].to_pandas()).normalize())
    versions, names = pd.factorize(events["version"].to_pandas(), sort=True)
    return {
        str(name): np.bincount(place[versions == number], minlength=len(days))
        for number, name in enumerate(names)
    }


def _latency(events: pa.Table, days: pd.DatetimeIndex) -> Floats:
    frame = pd.DataFrame(
        {
            "day": pd.DatetimeIndex(events["time"].to_pandas()).normalize(),
            "ms": events["latency_ms"].to_numpy(),
        }
    )
    return np.asarray(frame.groupby("day")["ms"].quantile(0.95).reindex(days), dtype=np.float64)


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in values.value_counts().to_pylist()}
