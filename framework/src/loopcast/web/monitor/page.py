"""The page of a logical model in the world: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.api import Alert
from loopcast.monitor.reference import OUTPUT
from loopcast.web import formats
from loopcast.web.charts import (
    Band,
    Dot,
    DotPlot,
    Line,
    LineChart,
    compact,
    level_role,
    time_axis,
)
from loopcast.web.page import Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.monitor.performance import Performance
    from loopcast.monitor.watch import Report

MOST_LINES = 7
_VERDICT = {"notice": "open", "warning": "open", "critical": "bad"}


def render(report: Report, alerts: Sequence[Alert]) -> str:
    """Return the report as one HTML file that needs no other file and no network.

    Parameters
    ----------
    alerts
        The open ones of the logical model.
    """
    own = [alert for alert in alerts if alert.segment == report.segment]
    return render_page(
        "monitor.html.j2",
        title=f"{report.logical_model.title}: in the world",
        report=report,
        key_figures=_key_figures(report),
        findings=_findings(own),
        volume=_volume(report),
        latency=_latency(report),
        performance=_performance(report),
        subsets=_subsets(report),
        drift=_drift(report),
        over_time=_over_time(report),
        numbers=_numbers(report),
        releases=_releases(report),
        day=lambda moment: f"{moment:%Y-%m-%d}",
    )


def _key_figures(report: Report) -> list[KeyFigure]:
    total = sum(int(counts.sum()) for counts in report.volume.values())
    figures = [KeyFigure(label="predictions", value=f"{total:,}")]
    other = {name: count for name, count in report.actions.items() if name != "served"}
    if other:
        text = ", ".join(f"{count:,} {name}" for name, count in sorted(other.items()))
        figures.append(KeyFigure(label="not served", value=f"{sum(other.values()):,}", detail=text))
    if report.coverage is not None:
        share = formats.percent(report.coverage.share)
        detail = f"of {report.coverage.chosen:,} that were chosen to be labelled"
        figures.append(KeyFigure(label="outcomes known", value=share, detail=detail))
    drifted = {(d.of, d.subject) for d in report.drifts if d.exceeded}
    watched = {(d.of, d.subject) for d in report.drifts}
    if watched:
        detail = f"of {len(watched)} inputs and outputs"
        figures.append(KeyFigure(label="drifted", value=str(len(drifted)), detail=detail))
    return figures


def _findings(alerts: Sequence[Alert]) -> list[Finding]:
    if not alerts:
        return [Finding(verdict="good", text="No alert is open.")]
    return [
        Finding(
            verdict=_VERDICT[alert.severity],
            text=f"{alert.cause}. Suggested: {alert.remedy.replace('_', ' ')}."
            + (f" Known to {alert.acknowledged_by}." if alert.acknowledged_by else ""),
        )
        for alert in alerts
    ]


def _marks(report: Report, times: pd.DatetimeIndex) -> tuple[tuple[float, str], ...]:
    """Return releases to champion in the span; those in the last window stand at its start."""
    end = times[-1].timestamp()
    return tuple(
        (min(release.since.timestamp(), end), f"{release.version[:6]} champion")
        for release in report.releases
        if release.stage == "champion" and report.start <= release.since < report.end
    )


def _volume(report: Report) -> Figure:
    lines = tuple(
        Line(label=name[:6], role=level_role(number), values=[int(v) for v in counts])
        for number, (name, counts) in enumerate(report.volume.items())
    )
    return Figure(
        id="volume",
        title="Predictions a day, by version",
        chart=LineChart(
            x=time_axis(report.days),
            title="predictions",
            unit="",
            lines=lines,
            marks=_marks(report, report.days),
            zero=True,
        ),
    )


def _latency(report: Report) -> Figure:
    return Figure(
        id="latency",
        title="Latency: 95 % of a day's answers took no longer",
        chart=LineChart(
            x=time_axis(report.days),
            title="latency",
            unit="ms",
            lines=(Line(label="95 %", role="model", values=compact(report.latency.tolist())),),
            marks=_marks(report, report.days),
            zero=True,
        ),
    )


def _windows(report: Report, metric: str) -> list[Performance]:
    found = [p for p in report.performance if p.metric == metric and not p.subset]
    return sorted(found[1:], key=lambda p: p.start)


def _metric_names(report: Report) -> list[str]:
    return list(dict.fromkeys(p.metric for p in report.performance))


def _performance(report: Report) -> list[Figure]:
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
            marks=_marks(report, index),
        ),
    )


def _known(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]


def _subsets(report: Report) -> list[Figure]:
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


def _drift(report: Report) -> Figure | None:
    """Return how far each input and output is beyond its threshold."""
    main = [d for d in report.drifts if d.measure in ("ks", "jensen_shannon")]
    if not main:
        return None
    rows = tuple(
        (
            f"{d.of} {d.subject}",
            (
                Dot(
                    role="other-1" if d.exceeded else "model",
                    label="drifted" if d.exceeded else "as in training",
                    text=f"{d.value:.3f}, p {d.p_value:.2g}",
                    value=d.value,
                ),
            ),
        )
        for d in sorted(main, key=lambda d: -d.value)[:25]
    )
    return Figure(
        id="drift",
        title="Distance from the training",
        text="The largest difference of distributions (Kolmogorov–Smirnov) of a number, the "
        "Jensen–Shannon distance of a category. It counts from "
        f"{main[0].threshold:g} on, where it is no chance.",
        chart=DotPlot(rows=rows),
    )


def _over_time(report: Report) -> Figure | None:
    measured = report.measured
    if measured is None or len(report.windows) < 2:
        return None
    strongest = report.window_ks.max(axis=0).argsort()[::-1][:MOST_LINES]
    lines = tuple(
        Line(
            label=measured.names[place].replace(OUTPUT, "output "),
            role=level_role(number),
            values=compact(report.window_ks[:, place].tolist()),
        )
        for number, place in enumerate(strongest)
    )
    return Figure(
        id="drift-over-time",
        title="Distance from the training over time",
        chart=LineChart(
            x=time_axis(report.windows),
            title="distance",
            unit="",
            lines=lines,
            marks=_marks(report, report.windows),
            zero=True,
        ),
    )


def _numbers(report: Report) -> Table | None:
    m = report.measured
    if m is None:
        return None
    columns = (m.ks, m.ks_high, m.wasserstein, m.mean_shift, m.psi, m.jensen_shannon,
               m.characteristic, m.missing, m.outside)  # fmt: skip
    rows = tuple(
        cells(
            name.replace(OUTPUT, "output "),
            *(formats.number(float(values[0, place]), 3) for values in columns),
        )
        for place, name in enumerate(m.names)
    )
    titles = ("KS, least", "KS, greatest", "Wasserstein, sd", "shift of mean, sd", "PSI",
              "Jensen–Shannon", "moves output by", "more missing", "more strange")  # fmt: skip
    return Table(caption="All measures", columns=("name", *titles), rows=rows)


def _releases(report: Report) -> Table | None:
    rows = tuple(
        cells(f"{r.since:%Y-%m-%d %H:%M}Z", r.version[:6], r.stage, r.by, r.reason)
        for r in report.releases
    )
    if not rows:
        return None
    return Table(
        caption="Releases", columns=("since", "version", "stage", "by", "reason"), rows=rows
    )
