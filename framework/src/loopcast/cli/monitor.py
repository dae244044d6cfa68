"""``loopcast monitor``: what happened to a logical model, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Alert, LogicalModel, MetricDefinition
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.channels import Channel
    from loopcast.monitor.family import FamilyReport
    from loopcast.monitor.performance import Every, Performance
    from loopcast.monitor.watch import Report
    from loopcast.store.home import Home

_DAY = click.DateTime(["%Y-%m-%d"])
SPAN = timedelta(days=90)
MOST_SHOWN = 20


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="What to look at.")
@click.option("--segment", "-s", help="One segment of a family; all in one look by default.")
@click.option("--since", type=_DAY, help="First day in UTC; 90 days before the last by default.")
@click.option("--until", type=_DAY, help="Day after the last, in UTC; tomorrow by default.")
@click.option(
    "--every", type=click.Choice(["day", "week", "month"]), default="week", show_default=True
)
@click.option("--page", type=click.Path(path_type=Path), help="Write a page of HTML.")
@click.option(
    "--notify",
    "urls",
    multiple=True,
    help="Deliver alerts: log, https://… or mqtt://…, repeatable.",
)
@click.option("--acknowledge", metavar="ALERT", help="Note that you know of an open alert.")
@click.option("--by", envvar="LOOPCAST_USER", default="", help="Who you are.")
def monitor(
    *,
    place: Home,
    logical_model: str,
    segment: str | None,
    since: datetime | None,
    until: datetime | None,
    every: Every,
    page: Path | None,
    urls: tuple[str, ...],
    acknowledge: str | None,
    by: str,
) -> None:
    """Compare what happened with what was expected, and raise alerts where it matters.

    Input and output drift are measured against the reference of the version that served last,
    performance against its contest, from events whose outcome is known.
    """
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.channels import channel_of

    channels, book = [channel_of(url) for url in urls], AlertBook(f"{place.folder}/alerts")
    if acknowledge is not None:
        _acknowledge(book, logical_model, acknowledge, by)
        return
    now = datetime.now(UTC)
    end = _in_utc(until) or _midnight(now) + timedelta(days=1)
    start = _in_utc(since) or end - SPAN
    with place.catalog as catalog:
        model, segments = catalog.logical_model(logical_model), catalog.segments(logical_model)
        look = _Look(home=place, model=model, start=start, end=end, now=now)
        if segment is None and segments not in ((), ("",)):
            family = _look_at_all(look)
            failures = _raise(
                look, {s.segment for s in family.segments}, family.alerts, book, channels
            )
            _print_family(family)
            if page is not None:
                _write_family_page(family, page)
        else:
            report = _look_at_one(look, segment or "", every)
            failures = _raise(look, {report.segment}, report.found, book, channels)
            _print(report, book)
            if page is not None:
                _write_page(report, book, page)
    for failure in failures:
        click.echo(f"not delivered, tried again next time: {failure}", err=True)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """Where, at what, and when."""

    home: Home
    model: LogicalModel
    start: datetime
    end: datetime
    now: datetime


def _look_at_one(look: _Look, segment: str, every: Every) -> Report:
    from loopcast.monitor.watch import Watched, watch

    watched = Watched(
        model=look.model,
        segment=segment,
        start=look.start,
        end=look.end,
        metrics=_metrics(look.model),
        every=every,
    )
    return watch(watched, look.home, look.now)


def _look_at_all(look: _Look) -> FamilyReport:
    from loopcast.api import DriftThresholds
    from loopcast.monitor.counting import count_days
    from loopcast.monitor.daily import daily_sketches
    from loopcast.monitor.drift import limits_of
    from loopcast.monitor.family import FamilyWatched, watch_family

    sketches = daily_sketches(look.home)
    count_days(look.home, sketches, look.model, look.now)
    over = min(look.end, _midnight(look.now)) - timedelta(days=1)
    watched = FamilyWatched(
        model=look.model,
        first=min(look.start, over).date(),
        last=over.date(),
        limits=limits_of(DriftThresholds()),
        kpi=next((m for m in _metrics(look.model) if m.name == look.model.kpi.metric), None),
    )
    return watch_family(watched, look.home, sketches, look.now)


def _raise(
    look: _Look,
    segments: set[str],
    found: Sequence[Alert],
    book: AlertBook,
    channels: Sequence[Channel],
) -> tuple[str, ...]:
    """Bring alerts into the book, deliver what is due, and return what could not be delivered."""
    from loopcast.monitor.channels import deliver
    from loopcast.monitor.findings import KINDS

    due = book.update_all(look.model.name, segments, KINDS, found)
    return deliver(due, channels, book)


def _acknowledge(book: AlertBook, logical_model: str, alert: str, by: str) -> None:
    if not by:
        raise click.UsageError("say who you are: --by NAME, or LOOPCAST_USER")
    known = book.acknowledge(logical_model, alert, by)
    click.echo(f"{by} knows of {known.id}: {known.cause}")


def _metrics(model: LogicalModel) -> list[MetricDefinition]:
    """Return the metrics of the task, the KPI first."""
    from loopcast.cli import plugin_manager

    offered = plugin_manager().metrics_of(model)
    return sorted(offered, key=lambda metric: metric.name != model.kpi.metric)


def _write_page(report: Report, book: AlertBook, page: Path) -> None:
    from loopcast.store.files import write_atomically
    from loopcast.web.monitor.page import render

    write_atomically(page, render(report, book.open(report.logical_model.name)).encode())
    click.echo(f"\npage: {page}")


def _print(report: Report, book: AlertBook) -> None:
    from loopcast.cli import tables

    console, name = tables.terminal(), report.logical_model.name
    total = sum(int(counts.sum()) for counts in report.volume.values())
    click.echo(
        f"{report.logical_model.title}: {total:,} predictions from {report.start:%Y-%m-%d} "
        f"until {report.end:%Y-%m-%d}"
    )
    if report.coverage is not None:
        cover = report.coverage
        click.echo(
            f"outcomes of {cover.labelled:,} of {cover.chosen:,} chosen predictions are known"
        )
    if report.version is None:
        click.echo("no drift: no version that served has a reference; train a new one")
    else:
        rows = (
            [d.of, d.subject, d.measure, f"{d.value:.3f}", f"{d.threshold:g}", f"{d.p_value:.2g}"]
            for d in sorted(report.drifts, key=lambda d: -d.value / d.threshold)
            if d.exceeded
        )
        columns = ("of", "name", "measure", "value", "threshold", "p")
        tables.print_rows(console, "Drift", columns, rows, numbers_from=3)
    overall = [p for p in report.performance if not p.subset]
    measured = (
        [p.metric, _span(p, overall), tables.number(p.value), tables.number(p.low),
         tables.number(p.high), f"{p.labelled:,} of {p.predictions:,}"]
        for p in overall if p.labelled
    )  # fmt: skip
    columns = ("metric", "since", "value", "low", "high", "outcomes")
    tables.print_rows(console, "Performance", columns, measured, numbers_from=2)
    alerts = (
        [a.id, a.severity, a.cause, a.remedy.replace("_", " "), a.acknowledged_by]
        for a in book.open(name)
        if a.segment == report.segment
    )
    titles = ("alert", "severity", "cause", "remedy", "known to")
    tables.print_rows(console, "Open alerts", titles, alerts)


def _print_family(report: FamilyReport) -> None:
    from loopcast.cli import tables

    counts = ", ".join(f"{count:,} {state}" for state, count in report.counts.items())
    click.echo(
        f"{report.logical_model.title}: {len(report.segments):,} segments from {report.first} "
        f"until {report.last}: {counts}"
    )
    telling = [s for s in report.segments if s.state != "quiet"]
    rows = (
        [s.segment, s.state, s.reason, f"{s.predictions:,}", str(s.last or "–"), str(len(s.alerts))]
        for s in telling[:MOST_SHOWN]
    )
    columns = ("segment", "state", "why", "predictions", "last", "alerts")
    tables.print_rows(tables.terminal(), "The worst first", columns, rows)
    if len(telling) > MOST_SHOWN:
        click.echo(f"and {len(telling) - MOST_SHOWN:,} more: --page shows all of them")


def _write_family_page(report: FamilyReport, page: Path) -> None:
    from loopcast.store.files import write_atomically
    from loopcast.web.monitor.family import render

    write_atomically(page, render(report).encode())
    click.echo(f"\npage: {page}")


def _span(measured: Performance, overall: list[Performance]) -> str:
    """Return the start of a window, and ``all`` for the whole span, which comes first."""
    first = next(p for p in overall if p.metric == measured.metric)
    return "all" if measured is first else f"{measured.start:%Y-%m-%d}"


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
