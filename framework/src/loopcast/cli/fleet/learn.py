"""``loopcast fleet learn``: what devices learned together becomes a package."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Package
    from loopcast.iterate.federated import Learned
    from loopcast.store.home import Home


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="Whose package it is.")
@click.option("--segment", "-s", default="", help="The segment of a family.")
@click.option("--sequence", type=int, help="Number of the package; the newest by default.")
@click.option("--publish", "by", metavar="NAME", help="Sign the corrected package; who wants it.")
@click.option(
    "--days",
    type=click.IntRange(1),
    default=365,
    show_default=True,
    help="How long devices may activate it.",
)
@json_option
def learn(
    *,
    place: Home,
    logical_model: str,
    segment: str,
    sequence: int | None,
    by: str | None,
    days: int,
    as_json: bool,
) -> None:
    """Solve for the correction of a package from the sums that its devices have sent.

    The package was published with --learn. Gain is the share of squared residuals that what all
    other devices learned takes from each: with --publish, the correction is signed in a package of
    the same file if there is any, in sum and for the median device.
    """
    from loopcast.cli import tables
    from loopcast.fleet.founding import keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.iterate.federated import correct_package, learn_from_fleet

    with place.catalog as catalog:
        package = _chosen(catalog.packages(logical_model, segment), sequence)
        learned = learn_from_fleet(place, package)
        made = None
        if by is not None:
            ring = read_keys(keys_folder(place))
            life = timedelta(days=days)
            made = correct_package(place, ring, package, learned, by=by, life=life)
    if as_json:
        tables.print_json({"learned": learned, "package": made})
        return
    _print(learned, made)


def _chosen(packages: tuple[Package, ...], sequence: int | None) -> Package:
    from loopcast.api import NotFoundError

    found = [each for each in packages if sequence in (None, each.sequence)]
    if not found:
        raise NotFoundError("there is no such package; 'loopcast fleet publish' makes one")
    return found[-1]


def _print(learned: Learned, made: Package | None) -> None:
    names = learned.correction.inputs
    terms = ", ".join(
        f"{name} {coef:+.4g}" for name, coef in zip(names, learned.correction.coef, strict=True)
    )
    click.echo(f"{learned.rows:,} outcomes of {learned.devices:,} devices: {terms}")
    gain = f"{learned.gain:.1%} less by what the others learned"
    median = f"{learned.median_gain:.1%} less for the median device"
    click.echo(f"squared residuals: {learned.explained:.1%} less, {gain}, {median}")
    for device, reason in learned.refused.items():
        click.echo(f"{device} is left out: {reason}")
    if made is not None:
        click.echo(f"package {made.sequence}: the same file, corrected; roll it out like any other")
