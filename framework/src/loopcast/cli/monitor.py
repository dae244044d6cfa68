"""``loopcast monitor``: what happened to a logical model, and what to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.api import StoreError
from loopcast.cli.monitor_tables import print_family, print_report
from loopcast.cli.selection import DAY, at_option, policy_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Alert, LogicalModel, MetricDefinition, Policy
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.channels import Channel
    from loopcast.monitor.performance import Every
    from loopcast.monitor.plan import Plan
    from loopcast.monitor.resources import Health
    from loopcast.monitor.signals import Subject
    from loopcast.store.home import Home

SPAN = timedelta(days=90)


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="What to look at.")
@click.option("--segment", "-s", help="One segment of a family; all in one look by default.")
@click.option(
    "--since", type=DAY, metavar="DAY", help="First day in UTC; 90 days before the last by default."
)
@click.option(
    "--until", type=DAY, metavar="DAY", help="Day after the last, in UTC; tomorrow by default."
)
@click.option(
    "--every",
    type=click.Choice(["day", "week", "month"]),
    default="week",
    show_default=True,
    help="Performance by windows of this length.",
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
@policy_options
@at_option
def monitor(
    *,
    place: Home,
    policy: Policy,
    logical_model: str,
    segment: str | None,
    since: datetime | None,
    until: datetime | None,
    every: Every,
    page: Path | None,
    urls: tuple[str, ...],
    acknowledge: str | None,
    by: str,
    at: datetime | None,
) -> None:
    """Compare what happened with what was expected, and raise alerts where it matters.

    Input and output drift are measured against the reference of the version that served last,
    performance against its contest, from events whose outcome is known. The policy's row of the
    risk class says what raises an alert, from where on, and who is told; without the answers to
    its questionnaire all is watched. A family is looked at as a whole: its worst segments first.
    """
    from loopcast.monitor.alerts import AlertBook
    from loopcast.monitor.channels import channel_of
    from loopcast.monitor.signals import of_health

    channels, book = [channel_of(url) for url in urls], AlertBook(_alerts(place))
    if acknowledge is not None:
        _acknowledge(book, logical_model, acknowledge, by)
        return
    now = at or datetime.now(UTC)
    end = _in_utc(until) or _midnight(now) + timedelta(days=1)
    look = _Look(home=place, now=now, start=_in_utc(since) or end - SPAN, end=end)
    answers = _ask_database(look, logical_model, book, channels)
    with place.catalog as catalog:
        model, segments = catalog.logical_model(logical_model), catalog.segments(logical_model)
        plan = _plan(policy, model)
        state = (answers, *_health(look, model, plan))
        stores = plan.addressed(of_health(look.of(model.name), state))
        whole = segment is None and segments not in ((), ("",))
        see = _see_all if whole else partial(_see_one, segment=segment or "", every=every)
        seen = see(look, model, plan)
        ways = (book, channels)
        of_segments = plan.part(plan.rules.keys() - {"resources"})
        failures = (
            *_check_experiments(look, model, None if whole else [segment or ""], ways),
            *_bring_in(look, of_segments, model, seen.found, ways),
            *_bring_in(look, plan.part({"resources"}), model, {"": stores}, ways),
        )
        seen.show(book, state)
        if page is not None:
            _write(page, seen.page(book, state))
    for failure in failures:
        click.echo(f"not delivered, tried again next time: {failure}", err=True)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What was found in each segment, and how it is shown."""

    found: Mapping[str, Sequence[Alert]]
    show: Callable[[AlertBook, Sequence[Health]], None]
    page: Callable[[AlertBook, Sequence[Health]], str]


@dataclass(frozen=True, kw_only=True)
class _Look:
    """Where and when."""

    home: Home
    now: datetime
    start: datetime
    end: datetime

    def of(self, logical_model: str) -> Subject:
        """Return of whom something is found where no segment is meant."""
        from loopcast.monitor.signals import Subject

        return Subject(logical_model=logical_model, segment="", at=self.now)


def _alerts(place: Home) -> str:
    return f"{place.folder}/alerts"


def _plan(policy: Policy, model: LogicalModel) -> Plan:
    from loopcast.monitor.plan import plan_of, usual_plan

    return usual_plan() if model.risk.missing else plan_of(policy.row(model))


def _ask_database(
    look: _Look, logical_model: str, book: AlertBook, channels: Sequence[Channel]
) -> Health:
    """Ask the database first: that it does not answer is told before all ends.

    Raises
    ------
    StoreError
        When it does not answer.
    """
    from loopcast.monitor.channels import deliver
    from loopcast.monitor.resources import database
    from loopcast.monitor.signals import of_health

    found = database(look.home, logical_model)
    if found.wrong:
        alerts = tuple(of_health(look.of(logical_model), [found]))
        deliver(book.update(logical_model, "", (), alerts), channels, book)
        raise StoreError(f"{found.found}; nothing else was looked at")
    return found


def _health(look: _Look, model: LogicalModel, plan: Plan) -> Sequence[Health]:
    from loopcast.monitor.resources import health

    free = plan.threshold("resources")
    return health(look.home, model.name, look.now, free=free)


def _see_one(look: _Look, model: LogicalModel, plan: Plan, *, segment: str, every: Every) -> _Seen:
    from loopcast.monitor.served import Watched
    from loopcast.monitor.watch import watch
    from loopcast.web.monitor.page import render

    watched = Watched(
        model=model,
        segment=segment,
        start=look.start,
        end=look.end,
        metrics=_metrics(model),
        every=every,
        plan=plan,
        separate=True,
    )
    report = watch(watched, look.home, look.now)
    return _Seen(
        found={segment: report.found},
        show=partial(print_report, report),
        page=lambda book, state: render(report, book.open(model.name), state),
    )


def _see_all(look: _Look, model: LogicalModel, plan: Plan) -> _Seen:
    from loopcast.iterate.experiments.watching import KINDS
    from loopcast.monitor.counting import count_days
    from loopcast.monitor.daily import daily_sketches
    from loopcast.monitor.family import FamilyWatched, watch_family
    from loopcast.web.monitor.family import render

    sketches = daily_sketches(look.home)
    count_days(look.home, sketches, model, look.now)
    over = min(look.end, _midnight(look.now)) - timedelta(days=1)
    watched = FamilyWatched(
        model=model,
        first=min(look.start, over).date(),
        last=over.date(),
        kpi=next((m for m in _metrics(model) if m.name == model.kpi.metric), None),
        plan=plan,
    )
    report = watch_family(watched, look.home, sketches, look.now)

    def of_experiments(book: AlertBook) -> list[Alert]:
        return [alert for alert in book.open(model.name) if alert.kind in KINDS]

    return _Seen(
        found=report.alerts,
        show=lambda book, state: print_family(report, of_experiments(book), state),
        page=lambda book, _: render(report, of_experiments(book)),
    )


def _bring_in(
    look: _Look,
    plan: Plan,
    model: LogicalModel,
    found: Mapping[str, Sequence[Alert]],
    ways: tuple[AlertBook, Sequence[Channel]],
) -> tuple[str, ...]:
    """Bring alerts into the book, deliver what is due, and return what could not be delivered."""
    from loopcast.monitor.channels import deliver
    from loopcast.monitor.diary import Diary, bring_in

    book, channels = ways
    due = bring_in(
        found,
        book=book,
        diary=Diary(_alerts(look.home)),
        plan=plan,
        logical_model=model.name,
        day=look.now.date(),
    )
    return deliver(due, channels, book)


def _check_experiments(
    look: _Look,
    model: LogicalModel,
    segments: Sequence[str] | None,
    ways: tuple[AlertBook, Sequence[Channel]],
) -> tuple[str, ...]:
    """Look at the experiments that run, as ``loopcast experiment check`` does."""
    from loopcast.iterate.experiments.watching import check_all
    from loopcast.monitor.channels import deliver

    book, channels = ways
    metrics = {metric.name: metric for metric in _metrics(model)}
    _, due = check_all(model.name, look.home, metrics, look.now, segments)
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


def _write(page: Path, content: str) -> None:
    from loopcast.store.files import write_atomically

    write_atomically(page, content.encode())
    click.echo(f"\npage: {page}")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
