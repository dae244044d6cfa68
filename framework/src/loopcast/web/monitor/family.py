"""The page of a family in the world: how each of thousands of segments fares, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats
from loopcast.web.charts import Dot, DotPlot, Line, LineChart, time_axis
from loopcast.web.monitor.course import by_sums, odd_keys
from loopcast.web.page import Cell, Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.api import Alert
    from loopcast.monitor.family import FamilyReport, SegmentReport, State

MOST_ROWS = 500
MOST_SUBJECTS = 25
_WORDS: dict[State, str] = {
    "silent": "have fallen silent",
    "worse": "do worse than when they were judged, or not what they promise",
    "drifting": "have inputs or outputs that drifted",
    "unusual": "have another volume or latency than usual, miss predictions, or had bad data",
    "frozen": "are frozen",
    "off": "are switched off",
    "quiet": "are quiet",
}


def render(report: FamilyReport, of_experiments: Sequence[Alert] = ()) -> str:
    """Return the report as one HTML file that needs no other file and no network.

    Parameters
    ----------
    of_experiments
        Open alerts of experiments that run.
    """
    return render_page(
        "family.html.j2",
        title=f"{report.logical_model.title}: {len(report.segments):,} segments in the world",
        report=report,
        key_figures=_key_figures(report),
        findings=_findings(report, of_experiments),
        volume=_volume(report),
        subjects=_subjects(report),
        segments=_segments(report),
        left_out=max(len(report.segments) - MOST_ROWS, 0),
    )


def _key_figures(report: FamilyReport) -> list[KeyFigure]:
    total = len(report.segments)
    shown = [
        KeyFigure(label=state, value=f"{count:,}", detail=f"of {total:,} segments")
        for state, count in report.counts.items()
    ]
    return [KeyFigure(label="predictions", value=f"{int(report.volume.sum()):,}"), *shown]


def _findings(report: FamilyReport, of_experiments: Sequence[Alert]) -> list[Finding]:
    verdicts = {"silent": "bad", "worse": "bad", "quiet": "good"}
    named = [(alert, f"{alert.segment}: ") for alert in of_experiments]
    common = [
        Finding(
            verdict="bad" if alert.severity == "critical" else "open",
            text=f"{where}{alert.cause}. Suggested: {alert.remedy.replace('_', ' ')}.",
        )
        for alert, where in [*((alert, "") for alert in report.common), *named]
    ]
    texts = (*by_sums(report.by_sums), *odd_keys(report.odd))
    notes = [Finding(verdict="open", text=text) for text in texts]
    return [*common, *notes] + [
        Finding(verdict=verdicts.get(state, "open"), text=_sentence(report, state, count))
        for state, count in report.counts.items()
    ]


def _sentence(report: FamilyReport, state: State, count: int) -> str:
    first = next(s for s in report.segments if s.state == state)
    reason = f" First among them {first.segment}: {first.reason}." if first.reason else ""
    return f"{count:,} of {len(report.segments):,} segments {_WORDS[state]}.{reason}"


def _volume(report: FamilyReport) -> Figure:
    days = pd.date_range(report.first, report.last, freq="D", tz="UTC")
    line = Line(label="", role="model", values=[int(v) for v in report.volume])
    return Figure(
        id="volume",
        title="Predictions a day, all segments",
        chart=LineChart(x=time_axis(days), title="predictions", unit="", lines=(line,), zero=True),
    )


def _subjects(report: FamilyReport) -> Figure | None:
    """Return in how many segments each input and output has drifted."""
    found = Counter(
        name
        for segment in report.segments
        for name in {f"{d.of} {d.subject}" for d in segment.drifts if not d.subset}
    )
    if not found:
        return None
    rows = tuple(
        (name, (Dot(role="model", label="segments", text=f"{count:,}", value=float(count)),))
        for name, count in found.most_common(MOST_SUBJECTS)
    )
    return Figure(
        id="subjects",
        title="What has drifted, in how many segments",
        chart=DotPlot(rows=rows),
    )


def _segments(report: FamilyReport) -> Table:
    return Table(
        caption="Segments, the worst first",
        columns=("segment", "state", "why", "suggested", "KPI then", "KPI now", "predictions",
                 "last", "version"),
        rows=tuple(_row(segment) for segment in report.segments[:MOST_ROWS]),
        prose=True,
    )  # fmt: skip


def _row(report: SegmentReport) -> tuple[Cell, ...]:
    then, now = (report.moved.then, report.moved.now) if report.moved else (None, None)
    places = formats.decimals([then, now], significant=3)
    return cells(
        report.segment or "–",
        report.state,
        report.reason,
        ", ".join(dict.fromkeys(alert.remedy.replace("_", " ") for alert in report.alerts)),
        formats.number(then, places),
        formats.number(now, places),
        f"{report.predictions:,}",
        f"{report.last:%-d %b}" if report.last else "–",
        (report.version or "–")[:6],
    )
