"""What ``loopcast monitor`` prints: one segment, or a family with the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loopcast.api import Alert
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.drifted import Drifted
    from loopcast.monitor.family import FamilyReport
    from loopcast.monitor.performance import Performance
    from loopcast.monitor.resources import Health
    from loopcast.monitor.watch import Report
    from loopcast_edge.wire import Errors

MOST_SHOWN = 20
GIVING_AWAY = 3


def print_report(report: Report, book: AlertBook, state: Sequence[Health]) -> None:
    """Print one segment: what happened, drift, performance, the stores, and open alerts."""
    from loopcast.cli import tables

    for line in _said(report):
        click.echo(line)
    _echo_unwatched(report.unwatched)
    console = tables.terminal()
    if report.drift is not None:
        of_drift = ("of", "name", "where", "measure", "value", "threshold", "p")
        tables.print_rows(console, "Drift", of_drift, _drift_rows(report.drift), numbers_from=4)
    columns = ("metric", "since", "value", "low", "high", "outcomes")
    tables.print_rows(console, "Performance", columns, _metric_rows(report), numbers_from=2)
    print_stores(state)
    alerts = (
        [a.id, a.severity, a.cause, a.remedy.replace("_", " "), a.tell, a.acknowledged_by]
        for a in book.open(report.logical_model.name)
        if a.segment == report.segment
    )
    titles = ("alert", "severity", "cause", "remedy", "for", "known to")
    tables.print_rows(console, "Open alerts", titles, alerts)


def _echo_unwatched(rows: Mapping[str, str]) -> None:
    for name, why in rows.items():
        click.echo(f"not watched, though the policy asks for it: {name}; {why}")


def print_stores(state: Sequence[Health]) -> None:
    """Print what was found about the stores."""
    from loopcast.cli import tables

    rows = ([each.name, each.found, "look" if each.wrong else ""] for each in state)
    tables.print_rows(tables.terminal(), "Stores", ("what", "found", ""), rows)


def _said(report: Report) -> Iterator[str]:
    """Yield in sentences what happened."""
    from loopcast.monitor.odd_keys import said

    total, cover = sum(int(counts.sum()) for counts in report.volume.values()), report.coverage
    yield (
        f"{report.logical_model.title}: {total:,} predictions from {report.start:%Y-%m-%d} "
        f"until {report.end:%Y-%m-%d}"
    )
    yield f"outcomes of {cover.labelled:,} of {cover.chosen:,} chosen predictions are known"
    yield from _by_sums(report.by_sums)
    yield from _seen(report.seen)
    if report.repeated:
        yield f"{report.repeated:,} events repeat another; each counts once"
    if report.ahead:
        yield f"{report.ahead:,} events bear a time that has not come: look at the clocks"
    yield from said(report.odd)
    for each in report.intervals:
        yield (
            f"intervals of {each.nominal:.0%} held {each.realised:.1%} of {each.outcomes:,} "
            "outcomes"
        )
    drift = report.drift
    if drift is None:
        yield "no drift: no version that served has a reference; train a new one"
        return
    if drift.season:
        yield drift.season
    if drift.separation is not None:
        names = ", ".join(name for name, _ in drift.separation.gives_away[:GIVING_AWAY])
        yield (
            f"a classifier tells recent rows from the training's with an AUC of "
            f"{drift.separation.auc:.2f}, most by {names}"
        )
    elif drift.untold:
        yield f"no domain classifier: {drift.untold}"


def _by_sums(count: int) -> Iterator[str]:
    if count:
        yield (
            f"{count:,} of the predictions are known by sums only, since devices had no space for "
            "them: they are in the volume and in nothing else"
        )


def _seen(errors: Errors) -> Iterator[str]:
    if errors.n:
        yield (
            f"on days that they had no space for, devices saw {errors.n:,} outcomes themselves: "
            f"mean absolute error {errors.absolute / errors.n:.4g}, "
            f"mean error {errors.total / errors.n:.4g}"
        )


def _drift_rows(drift: Drifted) -> Iterator[list[str]]:
    for d in sorted(drift.records, key=lambda d: -d.value / d.threshold):
        if d.exceeded:
            yield [d.of, d.subject, d.subset, d.measure, f"{d.value:.3f}", f"{d.threshold:g}",
                   f"{d.p_value:.2g}"]  # fmt: skip


def _metric_rows(report: Report) -> Iterator[list[str]]:
    from loopcast.cli import tables

    overall = [p for p in report.performance if not p.subset]
    for p in overall:
        if p.labelled:
            yield [p.metric, _span(p, overall), tables.number(p.value), tables.number(p.low),
                   tables.number(p.high), f"{p.labelled:,} of {p.predictions:,}"]  # fmt: skip


def _span(measured: Performance, overall: list[Performance]) -> str:
    """Return the start of a window, and ``all`` for the whole span, which comes first."""
    first = next(p for p in overall if p.metric == measured.metric)
    return "all" if measured is first else f"{measured.start:%Y-%m-%d}"


def print_family(
    report: FamilyReport, of_experiments: Sequence[Alert], state: Sequence[Health]
) -> None:
    """Print how many segments fare how, what is wrong with experiments, and the worst segments."""
    from loopcast.cli import tables
    from loopcast.monitor.odd_keys import said

    counts = ", ".join(f"{count:,} {state}" for state, count in report.counts.items())
    click.echo(
        f"{report.logical_model.title}: {len(report.segments):,} segments from {report.first} "
        f"until {report.last}: {counts}"
    )
    for line in (*_by_sums(report.by_sums), *said(report.odd)):
        click.echo(line)
    for alert in report.common:
        click.echo(f"{alert.kind.replace('_', ' ')}: {alert.cause}")
    for alert in of_experiments:
        click.echo(f"{alert.segment}: {alert.cause}")
    telling = [s for s in report.segments if s.state != "quiet"]
    rows = (
        [s.segment, s.state, s.reason, f"{s.predictions:,}", str(s.last or "–"), str(len(s.alerts))]
        for s in telling[:MOST_SHOWN]
    )
    columns = ("segment", "state", "why", "predictions", "last", "alerts")
    tables.print_rows(tables.terminal(), "The worst first", columns, rows)
    if len(telling) > MOST_SHOWN:
        click.echo(f"and {len(telling) - MOST_SHOWN:,} more: --page shows all of them")
    _echo_unwatched(report.unwatched)
    print_stores(state)
