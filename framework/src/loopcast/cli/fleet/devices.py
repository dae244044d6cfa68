"""``loopcast fleet devices``: who is in the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopcast.cli.fleet.options import label_option, labels_of
from loopcast.cli.selection import by_option, json_option, reason_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.group()
def devices() -> None:
    """List, label and revoke devices."""


@devices.command(name="list")
@store_options
@label_option
@json_option
def list_(*, place: Home, labels: tuple[str, ...], as_json: bool) -> None:
    """List the devices that have all the labels given, and what they run."""
    from loopcast.cli import tables
    from loopcast.cli.fleet.fleet_tables import print_devices
    from loopcast.fleet.overview import overview

    wanted = labels_of(labels)
    with place.catalog as catalog:
        found = [d for d in overview(catalog).devices if wanted.items() <= d.labels.items()]
    if as_json:
        tables.print_json(found)
        return
    print_devices(found)
    if not found:
        click.echo("no devices; 'loopcast fleet enrol' takes them in")


@devices.command()
@store_options
@click.argument("names", nargs=-1, required=True)
@label_option
@by_option
def label(*, place: Home, names: tuple[str, ...], labels: tuple[str, ...], by: str) -> None:
    """Give devices NAMES labels; KEY= takes one away."""
    with place.catalog as catalog:
        catalog.put_labels(names, labels_of(labels), by=by)
    click.echo(f"{len(names):,} devices are labelled")


@devices.command()
@store_options
@click.argument("names", nargs=-1, required=True)
@by_option
@reason_option
def revoke(*, place: Home, names: tuple[str, ...], by: str, reason: str) -> None:
    """Take devices NAMES out of the fleet; they stay known."""
    with place.catalog as catalog:
        catalog.revoke(names, by=by, reason=reason)
    click.echo(
        f"{len(names):,} devices are revoked; 'loopcast fleet broker' writes the broker's list anew"
    )
