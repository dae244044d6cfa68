"""``loopcast fleet serve``: a centre."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from loopcast.cli.fleet.options import broker_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Rollout, RolloutStep
    from loopcast.fleet.desk import Desk
    from loopcast.fleet.embedded import EmbeddedBroker
    from loopcast.store.home import Home


@click.command()
@store_options
@broker_option
@click.option(
    "--enrolment",
    envvar="LOOPCAST_ENROLMENT_URL",
    show_envvar=True,
    metavar="URL",
    help="Answer who is invited, at the broker of enrolment: mqtts://HOST:8885.",
)
@click.option(
    "--embedded",
    is_flag=True,
    help="Bring a broker along, for this machine alone and without certificates.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=1883,
    show_default=True,
    help="Of the embedded broker.",
)
def serve(*, place: Home, url: str, enrolment: str | None, embedded: bool, port: int) -> None:
    """Run a centre until it is told to stop: listen, keep, acknowledge, move rollouts on.

    Any number of them may run, on any machines that reach the stores and hold the keys. One that
    is killed is gone on with by the others, or by itself when it is back.
    """
    from loopcast.fleet.centre import Centre
    from loopcast.fleet.founding import broker_of, keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.fleet.link import FLEET, Link

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    read_keys(keys_folder(place))  # better now than at the first rollout
    stop = _told_to_stop()
    with (
        place.catalog,
        _broker(port, embedded=embedded) as own,
        Link(broker_of(place, own.url if own else url), listen=FLEET) as link,
        _desk(place, enrolment) as desk,
    ):
        click.echo(f"serving the fleet at {own.url if own else url}")
        centre = Centre(place=place, keys=keys_folder(place), link=link, hear=_say, desk=desk)
        centre.run(lambda: _ended(stop, own))


def _desk(place: Home, url: str | None) -> AbstractContextManager[Desk | None]:
    """Return what yields where strangers are answered, if they are to be."""
    from loopcast.fleet.desk import open_desk

    if url is None:
        return nullcontext()
    click.echo(f"answering who is invited at {url}")
    return open_desk(place, url)


def _ended(stop: threading.Event, own: EmbeddedBroker | None) -> bool:
    """Tell whether the centre is to stop; otherwise its broker is looked after."""
    if own is not None and not stop.is_set():
        own.revive()
    return stop.is_set()


def _broker(port: int, *, embedded: bool) -> AbstractContextManager[EmbeddedBroker | None]:
    """Return what runs a broker where it is asked to."""
    source = click.get_current_context().get_parameter_source
    if not embedded:
        if source("port") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--port goes with --embedded; other ports are said by --broker")
        return nullcontext()
    if source("url") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--embedded is a broker of its own; leave --broker out")
    from loopcast.fleet.embedded import embedded_broker

    click.echo("for trying things out: whoever is on this machine may read and write everything")
    return embedded_broker(port)


def _say(plan: Rollout, step: RolloutStep) -> None:
    click.echo(f"{step.at:%H:%M:%S} {plan.name}: {step.act}, {step.reason}")


def _told_to_stop() -> threading.Event:
    """Return what is set by SIGINT and SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
