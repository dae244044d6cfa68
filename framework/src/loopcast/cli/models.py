"""``loopcast models``: list versions, show one, and what else is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from loopcast.api import Stage
from loopcast.cli.board import board
from loopcast.cli.compare import compare
from loopcast.cli.cutoffs import cutoffs
from loopcast.cli.dossier import dossier
from loopcast.cli.history import champion, history
from loopcast.cli.rebuild import rebuild
from loopcast.cli.selection import limit_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def models() -> None:
    """List, show and compare versions."""


@models.command("list")
@store_options
@click.option("--logical-model", "-m", help="Only of this logical model.")
@click.option("--segment", "-s", help="Only of this segment of the logical model.")
@click.option("--template", "-t", help="Only of this template, such as forecasting.gam_arima.")
@click.option("--stage", type=click.Choice(get_args(Stage)), help="Only those in this stage.")
@click.option("--metric", "metrics", multiple=True, help="A metric to show; the KPI by default.")
@limit_option
@click.option(
    "--offset", type=click.IntRange(0), default=0, show_default=True, help="How many to skip."
)
@_AS_JSON
def list_versions(place: Home, as_json: bool, metrics: tuple[str, ...], **which: Any) -> None:
    """List versions, the newest first."""
    from loopcast.cli import tables, version_tables
    from loopcast.store.catalog import VersionFilter

    page = {"limit": which.pop("limit"), "offset": which.pop("offset")}
    selection = VersionFilter(**which)
    with place.catalog as source:
        if selection.logical_model is not None:
            source.logical_model(selection.logical_model)
        found = source.versions(selection, **page)
        total = source.count(selection)
        kpis = {model.name: model.kpi.metric for model in source.logical_models()}
    if as_json:
        tables.print_json(version_tables.list_record(found))
    else:
        version_tables.print_list(found, kpis, metrics, offset=page["offset"], total=total)


@models.command()
@store_options
@click.argument("version")
@click.option("--file", help="Print a text of its bundle instead, such as documentation.md.")
@_AS_JSON
def show(place: Home, as_json: bool, version: str, file: str | None) -> None:
    """Show everything about one VERSION, given by its id or the beginning of it."""
    from loopcast.cli import tables, version_tables
    from loopcast.deploy.bundle import read_manifest, read_text

    with place.catalog as source:
        found = source.version(version)
        if file is not None:
            click.echo(read_text(place.artifacts, found, file), nl=False)
            return
        details = version_tables.Details(
            version=found,
            stage=source.stage(found.id),
            manifest=read_manifest(place.artifacts, found.manifest),
            evaluations=source.evaluations(found.id),
            baselines=source.baselines(found.id),
            gates=source.gates(found.id),
            validations=source.validations(found.id),
            sign_offs=source.sign_offs(found.id),
            history=source.history(found.logical_model, found.segment, version=found.id),
        )
    if as_json:
        tables.print_json(details)
    else:
        version_tables.print_details(details)


@models.command()
@store_options
def sweep(place: Home) -> None:
    """Remove what runs that were killed left half-written.

    Others may run meanwhile: files of bundles are removed after an hour, those of run folders
    after a day.
    """
    removed = place.sweep()
    click.echo(f"{removed:,} unfinished {'file' if removed == 1 else 'files'} removed")


for command in (compare, board, cutoffs, champion, history, dossier, rebuild):
    models.add_command(command)
