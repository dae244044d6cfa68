"""``loopcast export``: a version in SQL, C or ONNX, compared with its model first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import by_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("version")
@click.option("--format", "form", type=click.Choice(["sql", "c", "onnx"]), required=True)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE"
)
@click.option("--table", help="Table that the SQL reads; the logical model's name by default.")
@click.option("--key", help="Column that identifies its rows; the schema's key by default.")
@click.option("--tolerance", type=click.FloatRange(0.0), default=1e-12, show_default=True)
@by_option
def export(
    *,
    place: Home,
    version: str,
    form: str,
    output: Path,
    table: str | None,
    key: str | None,
    tolerance: float,
    by: str,
) -> None:
    """Write a VERSION in a form that production runs without loopcast.

    It is run on the version's test scenario and on odd rows first; where it answers anything
    else than the model, nothing is written.
    """
    from loopcast.api import ScoreSchema
    from loopcast.cli import plugin_manager
    from loopcast.deploy.export import export as exports
    from loopcast.deploy.export.forms import Names
    from loopcast.deploy.loaded import load_version

    with place.catalog as catalog:
        found = catalog.version(version)
        loaded = load_version(place, plugin_manager(), found)
        schema = loaded.schema
        own = schema.key if isinstance(schema, ScoreSchema) else "key"
        names = Names(table=table or found.logical_model, key=key or own)
        done = exports.export(loaded, form, names, tolerance)
        digest = exports.keep(place, loaded, done, by=by, output=output)
    click.echo(f"{output}: {len(done.content):,} bytes, sha256 {digest}")
    for name, worst in done.worst.items():
        click.echo(f"{name}: {done.rows} rows, largest difference from the model {worst:.2g}")
