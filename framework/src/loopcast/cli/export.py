"""``loopcast export``: a version in SQL, C, ONNX or TFLite, compared with its model first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import by_option, output_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("version")
@click.option(
    "--format",
    "form",
    type=click.Choice(["sql", "c", "onnx", "tflite"]),
    required=True,
    help="What to write: SQL, C, ONNX, or a file for devices.",
)
@output_option
@click.option("--table", help="Table that the SQL reads; the logical model's name by default.")
@click.option("--key", help="Column that identifies its rows; the schema's key by default.")
@click.option("--series", default="", help="Series that a .tflite file of a forecast is of.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0),
    help="Largest difference; 1e-12 of a probability by default, for tflite 1e-5 of the largest "
    "answer.",
)
@click.option(
    "--file",
    "ready",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .tflite file of this version that another converter has made, to be compared and kept.",
)
@by_option
def export(
    *,
    place: Home,
    version: str,
    form: str,
    output: Path,
    table: str | None,
    key: str | None,
    series: str,
    tolerance: float | None,
    ready: Path | None,
    by: str,
) -> None:
    """Write a VERSION in a form that production, or a device, runs without loopcast.

    It is run on the version's test scenario and on odd rows first; where it answers anything
    else than the model, nothing is written.
    """
    from loopcast.api import ConfigurationError, ScoreSchema
    from loopcast.cli import plugin_manager
    from loopcast.deploy.export import export as exports
    from loopcast.deploy.export.forms import Names
    from loopcast.deploy.loaded import load_version

    if ready is not None and form != "tflite":
        raise ConfigurationError(f"--file is a .tflite file, and --format is {form}; give tflite")
    with place.catalog as catalog:
        found = catalog.version(version)
        loaded = load_version(place, plugin_manager(), found)
        schema = loaded.schema
        own = schema.key if isinstance(schema, ScoreSchema) else "key"
        names = Names(table=table or found.logical_model, key=key or own)
        content = None if ready is None else ready.read_bytes()
        done = exports.export(loaded, form, names, tolerance, series=series, ready=content)
        digest = exports.keep(place, loaded, done, by=by, output=output)
    click.echo(f"{output}: {len(done.content):,} bytes, sha256 {digest}")
    for name, worst in done.worst.items():
        click.echo(f"{name}: {done.rows} rows, largest difference from the model {worst:.2g}")
