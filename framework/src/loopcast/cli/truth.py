"""``loopcast truth``: bring in what came true, and see what is known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import Moment, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.truth import Standing

_MODEL = click.option("--logical-model", "-m", required=True, help="Whose predictions came true.")


@click.group()
def truth() -> None:
    """Bring in outcomes, and see which predictions they belong to."""


@truth.command()
@store_options
@click.argument("file", type=click.Path(path_type=Path))
@_MODEL
@click.option("--key", default="key", show_default=True, help="Column of the event's key.")
@click.option("--value", default="value", show_default=True, help="Column of the outcome.")
@click.option("--observed", help="Column of the moment when it became known, with a time zone.")
@click.option(
    "--observed-at",
    type=Moment(),
    help="That moment for all rows, in UTC where it has no zone.",
)
@click.option("--series", help="Forecasts: column of the series, in place of a key.")
@click.option("--time", help="Forecasts: column of the interval's start, with a time zone.")
@click.option("--segment", "-s", default="", help="Segment of all rows.")
@click.option("--segment-column", help="Column of the segment.")
@click.option("--source", default="", help="Which system knows it.")
@click.option("--reader", help="A reader of tables; by the file's name where it is left out.")
@click.option("--database", help="URL of a database, without a password: FILE is a table there.")
@json_option
def ingest(
    *,
    place: Home,
    file: Path,
    logical_model: str,
    key: str,
    value: str,
    observed: str | None,
    observed_at: datetime | None,
    series: str | None,
    time: str | None,
    segment: str,
    segment_column: str | None,
    source: str,
    reader: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Bring in the outcomes in FILE: Parquet, CSV, a table, or what a plugin's reader reads.

    The same file again changes nothing. An outcome that was observed later corrects an earlier
    one, whichever comes first. What belongs to no event is kept for events that come later.
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.monitor.delivery import Columns, deliver, outcomes_of, read_table

    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
    columns = Columns(
        key=key,
        value=value,
        observed=observed,
        observed_at=observed_at,
        series=series,
        time=time,
        segment=segment,
        segment_column=segment_column,
        source=source,
    )
    by_name = "parquet" if file.suffix == ".parquet" else "csv"
    usual = by_name if database is None else "sql"
    frame = read_table(file, plugin_manager().reader(reader or usual), database)
    done, found = deliver(outcomes_of(frame, columns, model), model, place)
    if as_json:
        tables.print_json({"ingestion": done, "standing": found})
        return
    click.echo(
        f"{done.rows:,} rows: {done.new:,} new, {done.corrected:,} corrected, "
        f"{done.outdated:,} older than what is known, {done.confirmed:,} confirmed, "
        f"{done.repeated:,} known already, {done.unknown:,} without an outcome"
    )
    _echo_standing(found)


@truth.command()
@store_options
@_MODEL
@json_option
def status(*, place: Home, logical_model: str, as_json: bool) -> None:
    """Say how many predictions have an outcome, and which outcomes have no prediction."""
    from loopcast.cli import tables
    from loopcast.monitor.delivery import standing_of

    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
    found = standing_of(model, place)
    if as_json:
        tables.print_json(found)
    else:
        _echo_standing(found)


def _echo_standing(found: Standing) -> None:
    click.echo(f"{found.labelled:,} of {found.events:,} predictions have an outcome")
    if found.unmatched:
        shown = ", ".join(found.examples)
        click.echo(
            f"{found.unmatched:,} of {found.outcomes:,} outcomes belong to no prediction yet: "
            f"{shown}{', …' if found.unmatched > len(found.examples) else ''}"
        )
