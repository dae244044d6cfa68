"""``loopcast fleet keys``: what devices trust."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.fleet.keyring import Keyring, KeyRole
    from loopcast.store.home import Home

_ROLES: tuple[KeyRole, ...] = ("root", "targets", "timestamp")


@click.group()
def keys() -> None:
    """Make, rotate and show the keys that devices trust.

    The root key signs which keys sign what; the targets key signs packages; the timestamp key
    says daily that the fleet is alive. Each is a file of the home folder that only its owner
    reads. The root key is needed for 'rotate' alone: keep it somewhere else between times.
    """


@keys.command()
@store_options
def make(*, place: Home) -> None:
    """Make the fleet's keys, its certificate authority, and the centre's certificate.

    Where there is no catalog yet, it is created: devices may be enrolled before the first run.
    """
    from loopcast.fleet.founding import found, keys_folder

    with replace(place, create=True).catalog:
        ring = found(place)
    click.echo(f"keys are in {keys_folder(place)}; keep a copy of the root key elsewhere")
    click.echo(f"devices are told to trust  {ring.pin}")


@keys.command()
@store_options
@click.argument("role", type=click.Choice(_ROLES))
def rotate(*, place: Home, role: KeyRole) -> None:
    """Give ROLE a new key, and revoke the old one.

    Packages that the old key signed are signed anew. Centres that run tell devices at once.
    """
    from loopcast.fleet.founding import keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.fleet.keyring import rotate as rotated

    ring = rotated(read_keys(keys_folder(place)), role)
    click.echo(f"root {ring.root.version} names a new {role} key; the old one is revoked")


@keys.command()
@store_options
@json_option
def show(*, place: Home, as_json: bool) -> None:
    """Say which keys there are, and which of them are here."""
    from loopcast.cli import tables
    from loopcast.fleet.founding import keys_folder
    from loopcast.fleet.keyring import read_keys

    ring = read_keys(keys_folder(place))
    rows = [_row(ring, role) for role in _ROLES]
    if as_json:
        tables.print_json({"pin": ring.pin, "root": ring.root.version, "keys": rows})
        return
    until = datetime.fromtimestamp(ring.root.expires / 1000, UTC)
    click.echo(f"devices are told to trust  {ring.pin}")
    click.echo(f"root {ring.root.version}, until {until:%Y-%m-%d}")
    tables.print_rows(tables.terminal(), "Keys", ("role", "key", "secret"), rows)


def _row(ring: Keyring, role: KeyRole) -> list[str]:
    own = getattr(ring.root, role).keys
    here = ring.is_here(role)
    return [role, ", ".join(key[:16] for key in own), "here" if here else "elsewhere"]
