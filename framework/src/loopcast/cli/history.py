"""``loopcast models champion`` and ``history``: who was released when, by whom and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import Moment, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("logical_model")
@click.option("--segment", "-s", help="Of this segment; of every one by default.")
@click.option("--at", type=Moment(), help="As of this moment: 2026-03-01 or 2026-03-01T12:00Z.")
@json_option
def champion(
    place: Home, logical_model: str, segment: str | None, at: datetime | None, as_json: bool
) -> None:
    """Say who is champion of a LOGICAL_MODEL, or was at any moment of the past."""
    from loopcast.cli import governance_tables

    with place.catalog as catalog:
        catalog.logical_model(logical_model)
        segments = None if segment is None else [segment]
        released = catalog.serving(logical_model, segments, at=at)
    governance_tables.print_champions(released, as_json=as_json)


@click.command()
@store_options
@click.argument("logical_model")
@click.option("--segment", "-s", help="Of this segment; of every one by default.")
@json_option
def history(place: Home, logical_model: str, segment: str | None, as_json: bool) -> None:
    """Show who moved and switched what of a LOGICAL_MODEL, when and why, the oldest first."""
    from loopcast.cli import governance_tables

    with place.catalog as catalog:
        catalog.logical_model(logical_model)
        releases = catalog.history(logical_model, segment)
        switches = catalog.switch_history(logical_model, segment)
    governance_tables.print_history(releases, switches, as_json=as_json)
