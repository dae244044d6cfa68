"""``loopcast models rebuild``: train a version again from its bundle, and compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.iterate.rebuild import Rebuilt
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("version")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0),
    default=1e-6,
    show_default=True,
    help="Largest relative difference of predictions that counts as reproduced.",
)
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes to train with.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(*, place: Home, version: str, tolerance: float, workers: int, as_json: bool) -> None:
    """Train VERSION again from the data and settings that its bundle names.

    Says whether the result is the same bit for bit, or how far its predictions are from those of
    the registered version. Nothing is registered; the exit code is 1 beyond the tolerance.
    """
    from loopcast.cli import plugin_manager
    from loopcast.cli.tables import print_json
    from loopcast.develop.engine import engine_for
    from loopcast.iterate.rebuild import rebuild as rebuild_version
    from loopcast.settings import EngineSettings

    processes = EngineSettings(name="local", workers=workers)
    with place.catalog as source, engine_for(processes) as engine:
        found = rebuild_version(
            place,
            plugin_manager(),
            source.version(version),
            engine,
            base=Path.cwd(),
            tolerance=tolerance,
        )
    if as_json:
        print_json(found)
    else:
        _print(found)
    sys.exit(0 if found.reproduced else 1)


def _print(found: Rebuilt) -> None:
    if found.identical:
        click.echo(f"version {found.version}: identical, bit for bit")
        return
    verdict = "reproduced" if found.reproduced else "NOT reproduced"
    click.echo(
        f"version {found.version}: {verdict}; predictions differ by up to {found.difference:.3g} "
        f"(relative; tolerance {found.tolerance:g})"
    )
    click.echo(f"  files that differ: {', '.join(found.files) or 'none but the manifest'}")
    if found.environment:
        click.echo(f"  environment then → now: {', '.join(found.environment)}")
