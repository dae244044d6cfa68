"""``loopcast fleet publish``: a version becomes a package."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import by_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Version
    from loopcast.store.catalog import Catalog
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("version", required=False)
@click.option("--logical-model", "-m", help="Its newest version, in place of a VERSION.")
@click.option("--segment", "-s", default="", help="With --logical-model: the segment of a family.")
@click.option(
    "--file",
    "ready",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="A .tflite file that another converter made of it; ours by default.",
)
@click.option("--series", default="", help="Of a forecast of several: the one to forecast.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0),
    default=1e-5,
    show_default=True,
    help="Largest difference from the model, as a share of the largest answer.",
)
@click.option(
    "--beyond",
    type=click.FloatRange(0.0),
    default=1.0,
    show_default=True,
    help="How far outside of what it says all over its domain devices believe it, and covariates "
    "outside of training, as a multiple of that range.",
)
@click.option(
    "--days",
    type=click.IntRange(1),
    default=365,
    show_default=True,
    help="How long devices may activate it.",
)
@click.option(
    "--trial-hours",
    type=click.FloatRange(0.0),
    default=24.0,
    show_default=True,
    help="How long a device tries it before it lets go of the one before.",
)
@click.option(
    "--trial-predictions",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many predictions it must make in that time.",
)
@click.option(
    "--learn",
    "clip",
    type=click.FloatRange(0.0, min_open=True),
    metavar="CLIP",
    help="Let devices learn a correction of its residuals, each cut to CLIP, in the output's unit.",
)
@click.option("--note", default="", help="Of whom and why; devices show it.")
@by_option
def publish(
    *,
    place: Home,
    version: str | None,
    logical_model: str | None,
    segment: str,
    ready: Path | None,
    series: str,
    tolerance: float,
    beyond: float,
    days: int,
    trial_hours: float,
    trial_predictions: int,
    clip: float | None,
    note: str,
    by: str,
) -> None:
    """Sign the package of a VERSION and give it the next number of its logical model and segment.

    Its file is compared with the model first, in the runtimes that are installed here, and devices
    compare it again before they use it. The centre sends it with its first rollout.
    With --learn, 'loopcast fleet learn' makes the correction of what devices send.
    """
    from dataclasses import replace

    from loopcast.cli import plugin_manager
    from loopcast.deploy.loaded import load_version
    from loopcast.fleet.contents import contents_of
    from loopcast.fleet.founding import keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.fleet.packages import make_package
    from loopcast.monitor.compare import read_references
    from loopcast.monitor.edge import drift_reference
    from loopcast_edge.wire import Correction, Trial

    trial = Trial(seconds=round(3600 * trial_hours), predictions=trial_predictions)
    with place.catalog as catalog:
        ring = read_keys(keys_folder(place))
        found = _chosen(catalog, version, logical_model, segment)
        loaded = load_version(place, plugin_manager(), found)
        file = ready.read_bytes() if ready else None
        reference = read_references(place, [found.id]).get(found.id)
        contents = contents_of(
            loaded,
            trial=trial,
            series=series,
            reference=drift_reference(reference) if reference else None,
            ready=file,
            tolerance=tolerance,
            beyond=beyond,
        )
        if clip is not None:
            learning = Correction(zone=contents.recipe.zone, clip=clip)
            contents = replace(contents, correction=learning)
        life = timedelta(days=days)
        package = make_package(place, ring, found, contents, by=by, life=life, note=note)
    click.echo(
        f"package {package.sequence} of version {package.version}: {package.size:,} bytes, "
        f"manifest {package.manifest[:16]}, until {package.expires:%Y-%m-%d}"
    )


def _chosen(
    catalog: Catalog, version: str | None, logical_model: str | None, segment: str
) -> Version:
    """Return the version that was asked for."""
    from loopcast.api import NotFoundError, place_name

    if (version is None) == (logical_model is None):
        raise click.UsageError("give a VERSION, or --logical-model for its newest one")
    if logical_model is None:
        return catalog.version(version or "")
    newest = catalog.newest(logical_model, [segment])
    if segment not in newest:
        where = place_name(logical_model, segment)
        raise NotFoundError(f"{where} has no version; 'loopcast run' trains one")
    return newest[segment]
