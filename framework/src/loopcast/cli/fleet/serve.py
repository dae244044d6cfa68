"""``loopcast fleet serve``: a centre."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

import click

from loopcast.cli.fleet.options import broker_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Rollout, RolloutStep
    from loopcast.store.home import Home


@click.command()
@store_options
@broker_option
def serve(*, place: Home, url: str) -> None:
    """Run a centre until it is told to stop: listen, keep, acknowledge, move rollouts on.

    Any number of them may run, on any machines that reach the stores and hold the keys. One that
    is killed is gone on with by the others, or by itself when it is back.
    """
    from loopcast.fleet.centre import Centre
    from loopcast.fleet.founding import broker_of, keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.fleet.link import Link

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    read_keys(keys_folder(place))  # better now than at the first rollout
    stop = _told_to_stop()
    with place.catalog, Link(broker_of(place, url), listen=True) as link:
        click.echo(f"serving the fleet at {url}")
        Centre(place=place, keys=keys_folder(place), link=link, hear=_say).run(stop.is_set)


def _say(plan: Rollout, step: RolloutStep) -> None:
    click.echo(f"{step.at:%H:%M:%S} {plan.name}: {step.act}, {step.reason}")


def _told_to_stop() -> threading.Event:
    """Return what is set by SIGINT and SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
