"""``loopcast fleet enrol``: devices become part of the fleet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.fleet.options import label_option, labels_of
from loopcast.cli.selection import by_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.group()
def enrol() -> None:
    """Take devices into the fleet.

    'invite' makes a one-time invitation for a name. With it, 'loopcast-edge enrol' on the device
    gets its certificate from a centre that answers ('serve --enrolment'). Where no network leads
    there, 'redeem' turns a request that was carried here (openssl req -new) into a certificate.
    """


@enrol.command()
@store_options
@click.argument("name")
@label_option
@click.option("--days", type=click.IntRange(1), default=7, show_default=True, help="Its life.")
@by_option
def invite(*, place: Home, name: str, labels: tuple[str, ...], days: int, by: str) -> None:
    """Print an invitation with which device NAME can enrol once. It is not kept.

    It is a token, and the key of the centre that the token may be told to.
    """
    from loopcast.api import Device
    from loopcast.fleet.enrolment import invite as invited
    from loopcast.fleet.founding import enrolment_key
    from loopcast_edge.wire import Invitation

    wanted = Device(name=name, enrolled=datetime.now(UTC), labels=labels_of(labels))
    with place.catalog:
        life = timedelta(days=days)
        token = invited(place, wanted.name, wanted.labels, by=by, life=life)
        click.echo(Invitation(token, enrolment_key(place).public))


@enrol.command()
@store_options
@click.argument("request", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--token",
    envvar="LOOPCAST_TOKEN",
    prompt=True,
    hide_input=True,
    show_envvar=True,
    help="Asked for where it is left out, so that no list of processes shows it.",
)
def redeem(*, place: Home, request: Path, output: Path, token: str) -> None:
    """Write the certificate for REQUEST, a PKCS #10 file in PEM, and enrol its device."""
    from loopcast.fleet.enrolment import redeem as redeemed
    from loopcast.fleet.founding import authority_of
    from loopcast.store.files import write_atomically

    with place.catalog:
        device, certificate = redeemed(place, authority_of(place), token, request.read_bytes())
    write_atomically(output, certificate)
    click.echo(f"device {device.name} is enrolled; its certificate is {output}")


@enrol.command()
@store_options
@click.argument("names", nargs=-1, required=True)
@label_option
@by_option
def add(*, place: Home, names: tuple[str, ...], labels: tuple[str, ...], by: str) -> None:
    """Enrol devices by NAMES whose certificates somebody else signs."""
    from loopcast.api import Device

    now, own = datetime.now(UTC), labels_of(labels)
    with place.catalog as catalog:
        catalog.enrol([Device(name=name, enrolled=now, labels=own) for name in names], by=by)
    click.echo(f"{len(names):,} devices are enrolled")
