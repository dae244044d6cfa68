"""``loopcast experiment``: declare online comparisons, follow them, and act on their results."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopcast.api import ExperimentStep, StepName
from loopcast.cli.experiment_options import declaration_options
from loopcast.cli.selection import (
    at_option,
    by_option,
    json_option,
    policy_options,
    reason_option,
    segment_options,
)
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import MetricDefinition, Policy
    from loopcast.iterate.experiments.evaluation import Evaluated
    from loopcast.iterate.experiments.planning import Declaration
    from loopcast.iterate.experiments.results import Result
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

_SHOWN = 20  # bandits, and segments that are left out, that are listed
_MODEL = click.option("--logical-model", "-m", required=True, help="Whose versions are compared.")
_PAGE = click.option("--page", type=click.Path(path_type=Path), help="Write a page of HTML.")


@click.group()
def experiment() -> None:
    """Compare versions online: shadows, A/B tests and bandits (docs/experiments.md)."""


@experiment.command()
@store_options
@declaration_options
@_MODEL
@segment_options
@by_option
@at_option
@json_option
def declare(
    *,
    place: Home,
    wanted: Declaration,
    logical_model: str,
    segment: str | None,
    all_segments: bool,
    by: str,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Declare experiment NAME: what is compared, by what, and how long it takes.

    The sample size follows from the minimum effect, the error rates, and what was observed of the
    champion in the last four weeks. Until it begins, it may be declared again.
    """
    from loopcast.cli import tables
    from loopcast.deploy.releases import segments_of
    from loopcast.iterate.experiments.planning import plan

    with place.catalog as catalog:
        segments = segments_of(catalog, logical_model, segment, all_segments=all_segments)
        metrics = _metrics(place, logical_model)
        now = at or datetime.now(UTC)
        found = plan(wanted, logical_model, segments, place, metrics, by=by, now=now)
        catalog.declare(found)
    if as_json:
        tables.print_json(found)
        return
    for item in found:
        click.echo(f"{item.place}: {item.kind} {item.name} of {', '.join(item.arms)}")
        if item.sample_size is not None:
            unit = "pairs" if item.kind == "shadow" else "outcomes of each arm"
            took = f", about {item.days + item.wait_days} days" if item.days else ""
            click.echo(f"  needs {item.sample_size:,} {unit}{took}")
    if left := [name for name in segments if name not in {item.segment for item in found}]:
        some = ", ".join(left[:_SHOWN])
        click.echo(f"{len(left):,} segments have no champion or no challenger: {some}")


@experiment.command()
@store_options
@click.argument("name")
@_MODEL
@segment_options
@by_option
@at_option
def begin(**options: Any) -> None:
    """Begin experiment NAME as it was declared; from now on it cannot change."""
    _step("begun", reason="", **options)


@experiment.command()
@store_options
@click.argument("name")
@_MODEL
@segment_options
@by_option
@reason_option
@at_option
def stop(**options: Any) -> None:
    """Stop experiment NAME before its time; the champion serves everyone again."""
    _step("stopped", **options)


def _step(
    step: StepName,
    *,
    place: Home,
    name: str,
    logical_model: str,
    segment: str | None,
    all_segments: bool,
    by: str,
    reason: str,
    at: datetime | None,
) -> None:
    with place.catalog as catalog:
        found = _trials(place, name, step, logical_model, segment, all_segments=all_segments)
        taken = ExperimentStep(step=step, at=at or datetime.now(UTC), by=by, reason=reason)
        catalog.take_step([trial.experiment for trial in found], taken)
    said = "has begun" if step == "begun" else f"is {step}"
    for trial in found:
        click.echo(f"{trial.experiment.place}: {name} {said}")


def _trials(
    place: Home,
    name: str,
    step: StepName,
    logical_model: str,
    segment: str | None,
    *,
    all_segments: bool,
) -> list[Trial]:
    """Return the experiments that may take a step; where none may, those that say why."""
    from loopcast.deploy.releases import segments_of

    segments = segments_of(place.catalog, logical_model, segment, all_segments=all_segments)
    trials = place.catalog.experiments(logical_model, segments)
    known = [trial for trial in trials if trial.experiment.name == name]
    before = "declared" if step == "begun" else "running"
    able = [trial for trial in known if trial.state == before]
    return able or known or [place.catalog.experiment(logical_model, segments[0], name)]


def _metrics(place: Home, logical_model: str) -> dict[str, MetricDefinition]:
    from loopcast.cli import plugin_manager

    model = place.catalog.logical_model(logical_model)
    return {metric.name: metric for metric in plugin_manager().metrics_of(model)}


@experiment.command(name="list")
@store_options
@click.option("--logical-model", "-m", help="Of this one only.")
@json_option
def list_(*, place: Home, logical_model: str | None, as_json: bool) -> None:
    """List experiments, the oldest first."""
    from loopcast.cli import tables

    with place.catalog as catalog:
        model = catalog.logical_model(logical_model).name if logical_model else None
        found = catalog.experiments(model)
    if as_json:
        tables.print_json(found)
        return
    rows = (
        [t.experiment.name, t.experiment.place, t.experiment.kind, t.experiment.metric, t.state,
         tables.minute(t.begun), tables.minute(t.ended)]
        for t in found
    )  # fmt: skip
    columns = ("name", "of", "kind", "metric", "state", "begun", "ended")
    tables.print_rows(tables.terminal(), "Experiments", columns, rows)
    if not found:
        click.echo("no experiments; 'loopcast experiment declare' begins one")


@experiment.command()
@store_options
@_MODEL
@click.option(
    "--notify",
    "urls",
    multiple=True,
    help="Deliver alerts: log, https://… or mqtt://…, repeatable.",
)
def check(*, place: Home, logical_model: str, urls: tuple[str, ...]) -> None:
    """Look for what is wrong in all experiments that run, and raise alerts.

    For a schedule: entities that are not divided as declared, and arms that are not served.
    """
    from loopcast.iterate.experiments.watching import alert_book, check_all
    from loopcast.monitor.channels import channel_of, deliver

    channels, now = [channel_of(url) for url in urls], datetime.now(UTC)
    running, due = check_all(logical_model, place, _metrics(place, logical_model), now)
    failures = deliver(due, channels, alert_book(place))
    click.echo(f"{running:,} experiments of {logical_model} run")
    for alert in due:
        click.echo(f"  {alert.severity}: {alert.cause}")
    for failure in failures:
        click.echo(f"not delivered, tried again next time: {failure}", err=True)


def _one(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take one experiment; it gets what happened in it until when it is."""

    @wraps(command)
    def with_one(
        *,
        place: Home,
        name: str,
        logical_model: str,
        segment: str,
        at: datetime | None,
        **options: Any,
    ) -> None:
        now = at or datetime.now(UTC)
        found = _evaluated(place, name, logical_model, segment, now)
        command(place=place, found=found, now=now, **options)

    where = click.option("--segment", "-s", default="", help="The segment of a family.")
    return click.argument("name")(_MODEL(where(at_option(with_one))))


@experiment.command()
@store_options
@_one
@_PAGE
@json_option
def status(
    *, place: Home, found: Evaluated, now: datetime, page: Path | None, as_json: bool
) -> None:
    """Count entities and outcomes of experiment NAME; effects stay sealed.

    An unequal division of the entities raises an alert.
    """
    from loopcast.cli import tables

    progress, about = found.progress, found.trial.experiment
    _write_page(page, found, None)
    if as_json:
        tables.print_json(progress)
        return
    until = f", its outcomes due by {progress.planned:%Y-%m-%d}" if progress.planned else ""
    click.echo(f"{about.name} of {about.place} is {progress.state}{until}")
    counts = progress.enrolled.items()
    if progress.needed is None:
        title, last = "serves", [f"{share:.0%}" for share in found.trial.shares]
    else:
        title, last = "needed", [f"{progress.needed:,}"] * len(counts)
    rows = (
        [version, f"{count:,}", f"{progress.known[version]:,}", said]
        for (version, count), said in zip(counts, last, strict=True)
    )
    columns = ("version", "enrolled", "outcomes", title)
    tables.print_rows(tables.terminal(), "Arms", columns, rows, numbers_from=1)
    if progress.mismatch is not None:
        click.echo(f"\nequal division of the entities: p = {progress.mismatch:.2g}")
    if progress.crossed:
        click.echo(f"{progress.crossed:,} entities were served by another arm as well")
    if progress.interrupted:
        click.echo(f"interrupted, the champion serves everyone: {progress.interrupted}")


@experiment.command()
@store_options
@_one
@_PAGE
@json_option
def result(
    *, place: Home, found: Evaluated, now: datetime, page: Path | None, as_json: bool
) -> None:
    """Show the effects of experiment NAME, once it has as many outcomes as were declared."""
    from loopcast.cli import tables
    from loopcast.cli.experiment_tables import print_result
    from loopcast.iterate.experiments.evaluation import result_of

    effects = result_of(found)
    _write_page(page, found, effects)
    if as_json:
        tables.print_json(effects)
    else:
        print_result(effects)


@experiment.command()
@store_options
@_MODEL
@at_option
@json_option
def learn(*, place: Home, logical_model: str, at: datetime | None, as_json: bool) -> None:
    """Let every bandit of a logical model learn from what is known by now.

    A nightly batch: from now on its arms serve the shares of the entities that this gives.
    """
    from loopcast.cli import tables
    from loopcast.iterate.experiments.learning import learn as learn_all

    with place.catalog as catalog:
        active = catalog.active_experiments(logical_model).values()
        bandits = [trial for trial in active if trial.experiment.kind == "bandit"]
        found = learn_all(bandits, place, at or datetime.now(UTC))
        kept = catalog.put_bandits(logical_model, found)
    if as_json:
        tables.print_json(found)
        return
    click.echo(f"{len(kept):,} bandits of {logical_model} have learned")
    for trial in bandits[:_SHOWN]:
        shares = found[trial.experiment.segment].shares
        arms = zip(trial.experiment.arms, shares, strict=True)
        said = ", ".join(f"{share:.0%} by {version}" for version, share in arms)
        click.echo(f"  {trial.experiment.place}: {said}")


@experiment.command()
@store_options
@policy_options
@_one
@by_option
def conclude(*, place: Home, policy: Policy, found: Evaluated, now: datetime, by: str) -> None:
    """End experiment NAME by its result, and release the winner as the policy allows."""
    from loopcast.iterate.experiments.deciding import conclude as conclude_experiment

    decision = conclude_experiment(found, place, policy, by=by, now=now)
    click.echo(decision.result.sentence)
    if decision.stage is not None:
        click.echo(f"{decision.result.winner} is {decision.stage}")
    for line in decision.proposal:
        click.echo(f"  {line}")


def _write_page(page: Path | None, found: Evaluated, result: Result | None) -> None:
    from loopcast.store.files import write_atomically
    from loopcast.web.experiment.page import render

    if page is not None:
        html = render(found.trial.experiment, found.progress, result)
        write_atomically(page, html.encode())


def _evaluated(
    place: Home, name: str, logical_model: str, segment: str, now: datetime
) -> Evaluated:
    """Read what happened, and raise or close the alerts of an experiment."""
    from loopcast.iterate.experiments.evaluation import evaluate
    from loopcast.iterate.experiments.watching import raise_alerts

    trial = place.catalog.experiment(logical_model, segment, name)
    found = evaluate(trial, place, _metrics(place, logical_model), now)
    raise_alerts(found, place, now)
    return found
