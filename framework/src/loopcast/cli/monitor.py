"""``loopcast monitor``: what happened to a logical model, and what to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import LogicalModel, MetricDefinition
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.performance import Performance
    from loopcast.monitor.watch import Report
    from loopcast.store.home import Home

_DAY = click.DateTime(["%Y-%m-%d"])
SPAN = timedelta(days=90)


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="What to look at.")
@click.option("--segment", "-s", default="", help="The segment of a family.")
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
    segment: str,
    since: datetime | None,
    until: datetime | None,
    every: Literal["day", "week", "month"],
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
    from loopcast.monitor.channels import channel_of, deliver
    from loopcast.monitor.findings import KINDS
    from loopcast.monitor.watch import Watched, watch

    channels, book = [channel_of(url) for url in urls], AlertBook(f"{place.folder}/alerts")
    if acknowledge is not None:
        _acknowledge(book, logical_model, acknowledge, by)
        return
    now = datetime.now(UTC)
    end = _in_utc(until) or _midnight(now) + timedelta(days=1)
    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
        watched = Watched(
            model=model,
            segment=segment,
            start=_in_utc(since) or end - SPAN,
            end=end,
            metrics=_metrics(model),
            every=every,
        )
        report = watch(watched, place, now)
    due = book.update(logical_model, segment, KINDS, report.found)
    failures = deliver(due, channels, book)
    _print(report, book)
    if page is not None:
        _write_page(report, book, page)
    for failure in failures:
        click.echo(f"not delivered, tried again next time: {failure}", err=True)


def _acknowledge(book: AlertBook, logical_model: str, alert: str, by: str) -> None:
    if not by:
        raise click.UsageError("say who you are: --by NAME, or LOOPCAST_USER")
    known = book.acknowledge(logical_model, alert, by)
    click.echo(f"{by} knows of {known.id}: {known.cause}")


def _metrics(model: LogicalModel) -> list[MetricDefinition]:
    """Return the metrics of the task, the KPI first."""
    from loopcast.cli import plugin_manager

    offered = plugin_manager().metrics(model.task)
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


def _span(measured: Performance, overall: list[Performance]) -> str:
    """Return the start of a window, and ``all`` for the whole span, which comes first."""
    first = next(p for p in overall if p.metric == measured.metric)
    return "all" if measured is first else f"{measured.start:%Y-%m-%d}"


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
