"""What happened to a logical model in a span of time: volume, drift, performance, releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
    ForecastOutcome,
    ForecastSchema,
    Judged,
    LogicalModel,
    MetricDefinition,
    RankSchema,
    Release,
    ScoreOutcome,
    Version,
    row_count,
    take,
)
from loopcast.deploy.bundle import read_bundle
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.monitor.bins import Bins, Floats
from loopcast.monitor.drift import Measured, Window, drifts, measure
from loopcast.monitor.findings import Moved, of_drift, of_performance, of_volume
from loopcast.monitor.observed import column, forecast_keys, numbers
from loopcast.monitor.performance import (
    Coverage,
    Every,
    Performance,
    change,
    estimate,
    labelled_events,
    overall_estimate,
    performance,
    period_codes,
)
from loopcast.monitor.reference import (
    OUTPUT,
    REFERENCE_FILE,
    Reference,
    read_reference,
    recent_design,
)
from loopcast.monitor.sketch import Sketch, sketch
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home

SERVED = ("champion", "canary")
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
    served = events.filter(pc.is_in(events["role"], pa.array(SERVED)))
    version, files = _version_of(served, home)
    drift = _drift(watched, served, version, files)
    results, coverage, moved = _performance(watched, served, home, version, files)
    days = pd.date_range(span[0], span[1], freq="D", inclusive="left").normalize()
    volume, latency = _volume(events, days), _latency(events, days)
    total, complete = (
        np.sum(list(volume.values()), axis=0),
        days <= pd.Timestamp(at) - pd.Timedelta(days=1),
    )
    found = [
        *of_drift(drift.records, at),
        *of_volume(
            model.name, watched.segment, days[complete], total[complete], latency[complete], at=at
        ),
        *of_performance(watched.model, watched.segment, moved, at),
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
        registered=None if moved is None else moved.then,
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
    reference = read_reference(files[REFERENCE_FILE])
    own = served.filter(pc.equal(served["version"], version.id))
    counted = _Counted(model=watched.model, reference=reference, judged=_judged(files, watched))
    days = counted.by(own, "day")[1]
    design = recent_design(reference, days)
    measured = measure(reference, days.pooled(), design)
    window = Window(
        logical_model=watched.model.name,
        segment=watched.segment,
        version=version.id,
        start=watched.start,
        end=watched.end,
    )
    windows, groups = counted.by(own, watched.every)
    in_windows = measure(reference, groups, design)
    numeric = np.isfinite(in_windows.ks)
    return _Drifted(
        measured=measured,
        records=drifts(measured, [window], watched.thresholds),
        windows=windows,
        window_ks=np.where(numeric, in_windows.ks, in_windows.jensen_shannon),
    )


def _judged(files: Mapping[str, bytes], watched: Watched) -> Judged:
    return read_judged(files[JUDGED_FILE], watched.model.task)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Counted:
    """How events are counted in the bins of a reference."""

    model: LogicalModel
    reference: Reference
    judged: Judged

    def by(self, events: pa.Table, every: Every) -> tuple[pd.DatetimeIndex, Sketch]:
        """Return the starts of the windows, and a group of counts for each."""
        bins, codes, starts = self.reference.bins, *period_codes(events["time"].to_pandas(), every)
        is_output = np.array([name.startswith(OUTPUT) for name in bins.names])
        parts = [
            sketch(
                _columns(events.filter(pa.array(rows)), bins, outputs=outputs),
                bins,
                group=codes[rows],
                groups=len(starts),
            )
            for outputs, rows in zip((False, True), self._rows(events), strict=True)
        ]
        inputs, outputs = parts
        numeric = is_output[: bins.numeric]
        return starts, Sketch(
            counts=np.where(is_output[None, :, None], outputs.counts, inputs.counts),
            squares=np.where(is_output[None], outputs.squares, inputs.squares),
            moments=np.where(numeric[None, :, None], outputs.moments, inputs.moments),
        )

    def _rows(self, events: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which events have inputs, and which outputs are those of the reference.

        Of a forecast, the inputs of series with a site, and the outputs of the series that the
        overall metrics are about, both at the finest step.
        """
        every = np.ones(events.num_rows, dtype=bool)
        schema = self.model.schema
        if not isinstance(schema, ForecastSchema):
            return every, every
        keys = forecast_keys(events["key"])
        finest = (keys["step"] == schema.step).to_numpy()
        series = self.judged.keys[0]
        heads = {str(series.categories[c]) for c in np.unique(series.codes[self.judged.overall])}
        aggregates = keys["series"].isin(list(schema.aggregates)).to_numpy()
        return finest & ~aggregates, finest & keys["series"].isin(list(heads)).to_numpy()


def _columns(events: pa.Table, bins: Bins, *, outputs: bool) -> dict[str, Any]:
    """Return the columns of inputs, or of outputs; the others are empty."""
    found: dict[str, Any] = {}
    for place, name in enumerate(bins.names):
        mine = name.startswith(OUTPUT) == outputs
        source = "output" if outputs else "input"
        plain = name.removeprefix(OUTPUT)
        if not mine:
            found[name] = np.full(events.num_rows, np.nan)
        elif place < bins.numeric:
            found[name] = numbers(events[f"{source}s"], plain)
        else:
            found[name] = column(events[f"{source}_texts"], plain)
    return found


def _performance(
    watched: Watched,
    served: pa.Table,
    home: Home,
    version: Version | None,
    files: Mapping[str, bytes],
) -> tuple[list[Performance], Coverage | None, Moved | None]:
    if isinstance(watched.model.schema, RankSchema):
        return [], None, None
    labelled = labelled_events(join(served, home.truth.latest(watched.model.name)), watched.model)
    results = performance(labelled, watched.metrics, watched.every)
    kpi = [m for m in watched.metrics if m.name == watched.model.kpi.metric]
    if version is None or not kpi or not len(labelled.known):
        return results, labelled.coverage, None
    judged = _judged(files, watched)
    rows = np.flatnonzero(judged.overall)
    outcome = next(iter(judged.outcomes.values()))
    weight = outcome.weight if isinstance(outcome, ScoreOutcome) else np.ones(row_count(outcome))
    serial = isinstance(outcome, ForecastOutcome)
    then = estimate(take(outcome, rows), kpi[0], weight[rows], judged.block[rows], serial=serial)
    now = overall_estimate(labelled, kpi[0])
    if not (np.isfinite(then.value) and np.isfinite(now.value)):
        return results, labelled.coverage, None
    moved = Moved(
        version=version.id, then=then.value, now=now.value, p_value=change(then, now).p_value()
    )
    return results, labelled.coverage, moved


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
