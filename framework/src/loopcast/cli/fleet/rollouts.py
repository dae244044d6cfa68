"""``loopcast fleet rollout``, ``pause``, ``resume``, ``abort`` and ``rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loopcast.api import ErrorTest, Rollout, RolloutAct
from loopcast.cli.fleet.options import labels_of
from loopcast.cli.selection import by_option, reason_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog
    from loopcast.store.home import Home

_TEST = ErrorTest()
_RULE = (
    click.option("--enough", type=float, default=0.9, show_default=True,
                 help="Share of the devices reached that must run it and be well."),
    click.option("--tolerated", type=float, default=0.05, show_default=True,
                 help="Share of them that may fail before it stops."),
    click.option("--hold-hours", type=float, default=0.0, show_default=True,
                 help="How long a stage lasts at least."),
    click.option("--deadline-hours", type=float, default=24.0, show_default=True,
                 help="How long a stage waits before the rollout stops."),
    click.option("--margin", type=float, default=_TEST.margin, show_default=True,
                 help="How much larger its error may be, as a share of the champion's."),
    click.option("--significance", type=float, default=_TEST.significance, show_default=True,
                 help="Probability of passing one that is worse, over all looks of a stage."),
    click.option("--pairs", type=int, default=_TEST.pairs, show_default=True,
                 help="Outcomes of a device at the first look; twice as many at each next one."),
    click.option("--looks", type=int, default=_TEST.looks, show_default=True,
                 help="How often errors are looked at in a stage."),
    click.option("--health-only", is_flag=True,
                 help="Compare no errors: for a first package, or without outcomes."),
)  # fmt: skip


def _rule_options(command: Any) -> Any:
    for option in reversed(_RULE):
        command = option(command)
    return command


@click.command()
@store_options
@click.argument("name")
@click.option("--logical-model", "-m", required=True, help="Whose package it is.")
@click.option("--segment", "-s", default="", help="The segment of a family.")
@click.option("--sequence", type=int, help="Number of the package; the newest by default.")
@click.option(
    "--cohorts",
    default="0.05,0.5,1",
    show_default=True,
    metavar="SHARES",
    help="Growing shares of the devices; the first is the canary.",
)
@click.option(
    "--rings",
    default="",
    metavar="NAMES",
    help="In place of shares: values of the label 'ring', in order; others come last.",
)
@click.option(
    "--select",
    "select",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only devices with this label; repeatable.",
)
@_rule_options
@by_option
@reason_option
def rollout(
    *, place: Home, logical_model: str, sequence: int | None, by: str, reason: str, **options: Any
) -> None:
    """Begin rollout NAME: its canary is told at once, the others when the rule allows it.

    It goes on when enough devices say that they run the package and are well, and when their
    errors are no worse than the champion's by a test that is fixed here. It stops by itself when
    too many fail, when errors are worse, or when a deadline passes; its devices go back then.
    """
    from loopcast.fleet import rolling

    with place.catalog as catalog:
        number = sequence or _newest(catalog, logical_model, options["segment"])
        plan = _plan(logical_model, number, **options)
        begun = rolling.begin(catalog, plan, by=by, reason=reason)
    sizes = [member.stage for member in begun.members.values()]
    told = sizes.count(0)
    click.echo(f"{plan.name}: package {number} goes to {told:,} of {len(sizes):,} devices first")
    click.echo(f"'loopcast fleet watch {plan.name}' follows it")


def _newest(catalog: Catalog, logical_model: str, segment: str) -> int:
    from loopcast.api import NotFoundError, place_name

    found = catalog.packages(logical_model, segment)
    if not found:
        where = place_name(logical_model, segment)
        raise NotFoundError(f"{where} has no package; 'loopcast fleet publish' makes one")
    return found[-1].sequence


def _plan(
    logical_model: str,
    sequence: int,
    *,
    name: str,
    segment: str,
    cohorts: str,
    rings: str,
    select: tuple[str, ...],
    health_only: bool,
    margin: float,
    significance: float,
    pairs: int,
    looks: int,
    **rule: float,
) -> Rollout:
    test = ErrorTest(margin=margin, significance=significance, pairs=pairs, looks=looks)
    return Rollout(
        name=name,
        logical_model=logical_model,
        segment=segment,
        sequence=sequence,
        cohorts=() if rings else _shares(cohorts),
        rings=tuple(rings.split(",")) if rings else (),
        select=labels_of(select),
        test=None if health_only else test,
        **rule,
    )


def _shares(text: str) -> tuple[float, ...]:
    from loopcast.api import ConfigurationError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(f"cohorts {text!r}: write shares such as 0.05,0.5,1") from None


def _command(act: RolloutAct, help_text: str, said: str) -> click.Command:
    """Return a command that takes one step of a rollout."""

    @click.command(help=help_text)
    @store_options
    @click.argument("name")
    @by_option
    @reason_option
    def command(*, place: Home, name: str, by: str, reason: str) -> None:
        from loopcast.fleet import rolling

        with place.catalog as catalog:
            rolling.act(catalog, name, act, by=by, reason=reason)
        click.echo(f"{name} {said}")

    return command


pause = _command("pause", "Hold rollout NAME where it is; its time stands still.", "is paused")
resume = _command("resume", "Let rollout NAME go on, the rest of its time before it.", "goes on")
abort = _command(
    "abort",
    "End rollout NAME; devices that it has reached go back to what they had, by a signed order.",
    "is aborted, and its devices are told to go back",
)
rollback = _command(
    "abort",
    "Take devices back after rollout NAME was complete, by a signed order.",
    "is taken back, and its devices are told to go back",
)
