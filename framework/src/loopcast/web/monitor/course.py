"""Figures of what happened over time: volume, latency, performance, KPIs, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.monitor.odd_keys import OddKeys, said
from loopcast.web import formats
from loopcast.web.charts import Band, Dot, DotPlot, Line, LineChart, compact, level_role, time_axis
from loopcast.web.page import Figure

if TYPE_CHECKING:
    from loopcast.monitor.intervals import IntervalCoverage
    from loopcast.monitor.performance import Performance
    from loopcast.monitor.watch import Report


def marks(report: Report, times: pd.DatetimeIndex) -> tuple[tuple[float, str], ...]:
    """Return releases to champion and experiments, those of a day at one mark.

    What is in the last window is at its start.
    """
    moments = [
        (release.since, f"{release.version[:6]} champion")
        for release in report.releases
        if release.stage == "champion"
    ]
    for trial in report.experiments:
        moments += [
            (at, f"{trial.experiment.name} {what}")
            for at, what in ((trial.begun, "begins"), (trial.ended, "ends"))
            if at is not None
        ]
    end = times[-1].timestamp()
    days: dict[float, list[str]] = {}
    for at, text in sorted(moments):
        if report.start <= at < report.end:
            day = pd.Timestamp(at).floor("D").timestamp()
            days.setdefault(min(day, end), []).append(text)
    return tuple((day, ", ".join(texts)) for day, texts in days.items())


def volume(report: Report) -> Figure:
    """Return how many predictions each version made on each day."""
    first = _first_day(report)
    lines = tuple(
        Line(label=name[:6], role=level_role(number), values=[int(v) for v in counts[first:]])
        for number, (name, counts) in enumerate(report.volume.items())
    )
    return Figure(
        id="volume",
        title="Predictions a day, by version",
        chart=LineChart(
            x=time_axis(report.days[first:]),
            title="predictions",
            unit="",
            lines=lines,
            marks=marks(report, report.days[first:]),
            zero=True,
        ),
    )


def _first_day(report: Report) -> int:
    """Return the place of the first day on which there was anything: a release or an event."""
    active = [int(days[0]) for v in report.volume.values() if len(days := np.flatnonzero(v))]
    released = report.days.searchsorted([release.since for release in report.releases], "right")
    return min([*active, *(max(int(after) - 1, 0) for after in released)], default=0)


def by_sums(count: int) -> list[str]:
    """Return a sentence about predictions of which only sums are known; none without any."""
    if not count:
        return []
    return [
        f"{count:,} predictions are known by sums only, since devices had no space for them: they "
        "are in the volume and in nothing else."
    ]


def odd_keys(found: Sequence[OddKeys]) -> list[str]:
    """Return sentences about events whose key no forecast has; none without any."""
    return [f"{sentence}." for sentence in said(found)]


def seen_by_devices(report: Report) -> list[str]:
    """Return a sentence about outcomes that only devices have seen; none without any."""
    seen = report.seen
    if not seen.n:
        return []
    return [
        f"On days that they had no space for, devices saw {seen.n:,} outcomes themselves: their "
        f"mean absolute error is {seen.absolute / seen.n:.4g}, "
        f"their mean error {seen.total / seen.n:.4g}."
    ]


def latency(report: Report) -> Figure | None:
    """Return how long the answers of each day took; ``None`` where it was never measured."""
    if not np.isfinite(report.latency).any():
        return None
    first = _first_day(report)
    return Figure(
        id="latency",
        title="Latency: 95 % of a day's answers took no longer",
        chart=LineChart(
            x=time_axis(report.days[first:]),
            title="latency",
            unit="ms",
            lines=(
                Line(label="95 %", role="model", values=compact(report.latency[first:].tolist())),
            ),
            marks=marks(report, report.days[first:]),
            zero=True,
        ),
    )


def _windows(report: Report, metric: str) -> list[Performance]:
    found = [p for p in report.performance if p.metric == metric and not p.subset]
    return sorted(found[1:], key=lambda p: p.start)


def _metric_names(report: Report) -> list[str]:
    return list(dict.fromkeys(p.metric for p in report.performance))


def performance(report: Report) -> list[Figure]:
    """Return each metric over time with its interval, the KPI first."""
    return [
        _metric(report, metric, windows)
        for metric in _metric_names(report)
        if (windows := [w for w in _windows(report, metric) if w.labelled])
    ]


def _metric(report: Report, metric: str, windows: Sequence[Performance]) -> Figure:
    index = pd.DatetimeIndex([window.start for window in windows])
    lines = [Line(label=metric, role="model", values=_known([w.value for w in windows]))]
    is_kpi = metric == report.logical_model.kpi.metric
    if is_kpi and report.registered is not None:
        when = Line(
            label="when judged", role="reference", values=[report.registered] * len(windows)
        )
        lines.append(when)
    low, high = (_known([getattr(w, end) for w in windows]) for end in ("low", "high"))
    return Figure(
        id=f"metric-{metric}",
        title=f"{metric}{', the KPI' if is_kpi else ''}",
        chart=LineChart(
            x=time_axis(index),
            title=metric,
            unit="",
            lines=tuple(lines),
            bands=(Band(label="95 % interval", role="model", low=low, high=high),),
            marks=marks(report, index),
        ),
    )


def _known(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]


def subsets(report: Report) -> list[Figure]:
    """Return the KPI by subpopulation, with intervals."""
    kpi = report.logical_model.kpi.metric
    found = [p for p in report.performance if p.metric == kpi and p.subset and p.value is not None]
    groups: dict[str, list[Performance]] = {}
    for item in found:
        groups.setdefault(item.subset.partition("=")[0], []).append(item)
    return [
        Figure(
            id=f"by-{attribute}",
            title=f"{kpi} by {attribute.replace('_', ' ')}",
            chart=DotPlot(rows=tuple(_row(item) for item in items[:20])),
        )
        for attribute, items in groups.items()
    ]


def _row(item: Performance) -> tuple[str, tuple[Dot, ...]]:
    value = item.value or 0.0
    places = formats.decimals([value], significant=3)
    dot = Dot(
        role="model",
        label="value",
        text=f"{formats.number(value, places)} ({item.labelled:,} outcomes)",
        value=value,
        low=item.low,
        high=item.high,
    )
    return item.subset.partition("=")[2], (dot,)


def missing(report: Report) -> Figure | None:
    """Return how many predictions of each day are missing; ``None`` where none is."""
    found = report.missing
    if not found.missing.any():
        return None
    line = Line(label="", role="other-1", values=[int(v) for v in found.missing])
    examples = ", ".join(found.examples)
    return Figure(
        id="missing",
        title="Predictions that are missing",
        text=f"Expected and not there, by day in UTC; such as those of {examples}.",
        chart=LineChart(
            x=time_axis(found.days), title="predictions", unit="", lines=(line,), zero=True
        ),
    )


def business(report: Report) -> list[Figure]:
    """Return each business KPI day by day."""
    return [
        Figure(
            id=f"kpi-{course.name}",
            title=course.name.replace("_", " "),
            chart=LineChart(
                x=time_axis(report.days),
                title=f"{course.kpi.statistic} of {course.kpi.of}",
                unit="",
                lines=(Line(label="", role="model", values=compact(course.values.tolist())),),
                marks=marks(report, report.days),
            ),
        )
        for course in report.business
        if np.isfinite(course.values).any()
    ]


def intervals(report: Report) -> Figure | None:
    """Return the share of outcomes inside each interval beside what was promised."""
    if not report.intervals:
        return None
    rows = tuple((f"{each.nominal:.0%} promised", (_held(each),)) for each in report.intervals)
    return Figure(
        id="intervals",
        title="What intervals held",
        text="Share of the outcomes inside, with its 95 % interval.",
        chart=DotPlot(rows=rows),
    )


def _held(each: IntervalCoverage) -> Dot:
    low, high = (end if np.isfinite(end) else None for end in (each.low, each.high))
    return Dot(
        role="model",
        label="held",
        text=f"{each.realised:.1%}, p {each.p_value:.2g}",
        value=each.realised,
        low=low,
        high=high,
    )
