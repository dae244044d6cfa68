"""``loopcast events``: ask and compact the event log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import Moment
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home

_MODEL = click.option("--logical-model", "-m", required=True, help="Whose events.")
_SINCE = click.option("--since", type=Moment(), help="First day, in UTC.")
_UNTIL = click.option("--until", type=Moment(), help="Day after the last.")


@click.group()
def events() -> None:
    """Ask and compact the event log."""


@events.command()
@store_options
@click.argument("sql")
@_MODEL
@_SINCE
@_UNTIL
def query(
    *, place: Home, sql: str, logical_model: str, since: datetime | None, until: datetime | None
) -> None:
    """Ask in SQL; the events are the table "events". Needs DuckDB."""
    from loopcast.cli import tables

    with place.catalog as catalog:
        catalog.logical_model(logical_model)
    found = place.events.query(sql, logical_model, since, until)
    rows = ([str(value) for value in row.values()] for row in found.to_pylist())
    tables.print_rows(tables.terminal(), logical_model, found.column_names, rows)


@events.command()
@store_options
@_MODEL
def compact(*, place: Home, logical_model: str) -> None:
    """Merge the small files of each day, and remove what killed writes left.

    Others may read and append meanwhile. Files that were merged are removed an hour later.
    """
    with place.catalog as catalog:
        catalog.logical_model(logical_model)
    done = place.events.compact(logical_model) + place.truth.compact(logical_model)
    swept = sum(log.sweep(logical_model) for log in (place.events, place.truth, place.feedback))
    click.echo(
        f"{done.merged:,} files merged into {done.days:,}, {done.removed:,} old ones removed, "
        f"{swept:,} unfinished ones removed"
    )
