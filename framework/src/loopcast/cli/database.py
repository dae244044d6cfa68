"""``loopcast database``: check and upgrade the schema of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.group()
def database() -> None:
    """Check and upgrade the catalog's database."""


@database.command()
@store_options
def check(place: Home) -> None:
    """Say whether the catalog fits this version of loopcast."""
    place.catalog.close()
    click.echo(f"{place.catalog_name} has the current schema")


@database.command()
@store_options
def upgrade(place: Home) -> None:
    """Bring the catalog to the schema of this version of loopcast, in one transaction."""
    from loopcast.store.upgrade import upgrade as upgrade_schema

    found = upgrade_schema(place.catalog_url)
    done = "has the current schema already" if found == "current" else "was upgraded"
    click.echo(f"{place.catalog_name} {done}")
