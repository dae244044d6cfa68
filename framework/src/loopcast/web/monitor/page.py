"""The page of a logical model in the world: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.api import Alert
from loopcast.web import formats
from loopcast.web.monitor import course, drift
from loopcast.web.page import Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.monitor.drifted import Drifted
    from loopcast.monitor.resources import Health
    from loopcast.monitor.watch import Report

_VERDICT = {"notice": "open", "warning": "open", "critical": "bad"}


def render(report: Report, alerts: Sequence[Alert], stores: Sequence[Health] = ()) -> str:
    """Return the report as one HTML file that needs no other file and no network.

    Parameters
    ----------
    alerts
        The open ones of the logical model.
    stores
        What was found about the stores.
    """
    own = [alert for alert in alerts if alert.segment == report.segment]
    found = report.drift
    return render_page(
        "monitor.html.j2",
        title=f"{report.logical_model.title}: in the world",
        report=report,
        key_figures=_key_figures(report),
        findings=[*_findings(own), *_notes(report)],
        happened=[
            f
            for f in (course.volume(report), course.latency(report), course.missing(report))
            if f is not None
        ],
        performance=course.performance(report),
        subsets=course.subsets(report),
        intervals=course.intervals(report),
        business=course.business(report),
        drift=_drift(report, found) if found is not None else [],
        numbers=drift.numbers(found) if found is not None else None,
        untold=found.untold if found is not None else "",
        releases=_releases(report),
        experiments=_experiments(report),
        stores=_stores(stores),
        day=lambda moment: f"{moment:%Y-%m-%d}",
    )


def _key_figures(report: Report) -> list[KeyFigure]:
    total = sum(int(counts.sum()) for counts in report.volume.values())
    figures = [KeyFigure(label="predictions", value=f"{total:,}")]
    other = {name: count for name, count in report.actions.items() if name != "served"}
    if other:
        text = ", ".join(f"{count:,} {name}" for name, count in sorted(other.items()))
        plain = f"{report.actions.get('served', 0):,}"
        figures.append(KeyFigure(label="served as asked", value=plain, detail=text))
    share = formats.percent(report.coverage.share)
    detail = f"of {report.coverage.chosen:,} that were chosen to be labelled"
    figures.append(KeyFigure(label="outcomes known", value=share, detail=detail))
    if report.drift is not None:
        whole = [d for d in report.drift.records if not d.subset]
        drifted = {(d.of, d.subject) for d in whole if d.exceeded}
        watched = {(d.of, d.subject) for d in whole}
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


def _notes(report: Report) -> list[Finding]:
    """Return what is odd about the events, which raises no alert."""
    notes = [*course.by_sums(report.by_sums), *course.seen_by_devices(report)]
    notes += course.odd_keys(report.odd)
    if report.repeated:
        notes.append(f"{report.repeated:,} events repeat another; each counts once.")
    if report.ahead:
        notes.append(f"{report.ahead:,} events bear a time that has not come: look at the clocks.")
    return [Finding(verdict="open", text=text) for text in notes]


def _drift(report: Report, found: Drifted) -> list[Figure]:
    figures = (
        drift.drift(found),
        drift.over_time(found, course.marks(report, found.windows)),
        drift.subsets(found),
        drift.separation(found),
    )
    return [figure for figure in figures if figure is not None]


def _stores(found: Sequence[Health]) -> Table | None:
    if not found:
        return None
    rows = tuple(cells(each.name, each.found, "look" if each.wrong else "") for each in found)
    return Table(caption="Stores", columns=("what", "found", ""), rows=rows, prose=True)


def _experiments(report: Report) -> Table | None:
    rows = tuple(
        cells(
            trial.experiment.name,
            trial.experiment.kind,
            f"{trial.begun:%Y-%m-%d}" if trial.begun else "",
            f"{trial.ended:%Y-%m-%d}" if trial.ended else "",
            trial.state,
        )
        for trial in report.experiments
    )
    if not rows:
        return None
    columns = ("name", "kind", "begun", "ended", "state")
    return Table(caption="Experiments", columns=columns, rows=rows, prose=True)


def _releases(report: Report) -> Table | None:
    rows = tuple(
        cells(f"{r.since:%Y-%m-%d %H:%M}Z", r.version[:6], r.stage, r.by, r.reason)
        for r in report.releases
    )
    if not rows:
        return None
    columns = ("since", "version", "stage", "by", "reason")
    return Table(caption="Releases", columns=columns, rows=rows, prose=True)
