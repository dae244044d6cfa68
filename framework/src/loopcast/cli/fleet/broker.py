"""``loopcast fleet broker``: a Mosquitto for this fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8883,
    show_default=True,
    help="Port that devices reach it at.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    default=("localhost", "127.0.0.1"),
    show_default=True,
    help="Name or address under which devices reach it; repeatable.",
)
@click.option(
    "--centre-port",
    type=click.IntRange(1, 65535),
    default=8886,
    show_default=True,
    help="Port for the centre alone.",
)
@click.option("--address", default="", help="Interface to listen on; all by default.")
@click.option(
    "--enrolment-port",
    type=click.IntRange(1, 65534),
    default=8884,
    show_default=True,
    help="Of the broker of enrolment, for devices; the port after it is for the centre.",
)
@click.option("--user", default="", help="System user that it runs as; Mosquitto's own by default.")
def broker(
    *,
    place: Home,
    folder: Path,
    port: int,
    hosts: tuple[str, ...],
    centre_port: int,
    address: str,
    enrolment_port: int,
    user: str,
) -> None:
    """Write into FOLDER all that a Mosquitto needs to serve this fleet.

    It lets in who has a certificate of the fleet, each device under the name in its certificate
    and to its own topics only. Write it anew after a device was revoked, and before the
    broker's certificate ends, and start the broker again. A second one, which may run only
    while devices are expected, lets those ask for a certificate who have an invitation.
    """
    from loopcast.fleet.authority import LIFE
    from loopcast.fleet.broker import Listener, write_broker
    from loopcast.fleet.enrolment import revoked_certificates
    from loopcast.fleet.founding import authority_of, centre_certificate

    listener = Listener(
        port=port,
        centre=centre_port,
        hosts=hosts,
        address=address,
        user=user,
        enrolment=enrolment_port,
    )
    with place.catalog:
        authority, centre = authority_of(place), centre_certificate(place)
        revoked = revoked_certificates(place)
        file = write_broker(folder.absolute(), authority, centre, listener, revoked)
    click.echo(f"mosquitto -c {file}")
    click.echo(f"loopcast fleet serve --broker mqtts://{hosts[0]}:{centre_port}")
    click.echo(f"mosquitto -c {file.with_name('enrolment.conf')}  # for who is invited")
    click.echo(f"the broker's certificate ends in {LIFE.days} days")
    if revoked:
        click.echo(f"{len(revoked)} certificates are revoked")
