"""``loopcast switch``: on, freeze, off."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from loopcast.api import Switch, place_name
from loopcast.cli.selection import by_option, reason_option, segment_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home

_EFFECT = {
    "on": "on, and the champion serves",
    "freeze": "frozen: the champion serves, nothing is trained or released",
    "off": "off, and predicts nothing",
}


@click.command()
@store_options
@click.argument("logical_model")
@click.argument("state", type=click.Choice(get_args(Switch)))
@segment_options
@by_option
@reason_option
def switch(
    *,
    place: Home,
    logical_model: str,
    state: Switch,
    segment: str | None,
    all_segments: bool,
    by: str,
    reason: str,
) -> None:
    """Switch a LOGICAL_MODEL on, freeze it, or switch it off.

    'on': the newest champion serves. 'freeze': the champion stays, and nothing is trained or
    released. 'off': nothing is predicted; callers are told so, and what to do instead.
    """
    from loopcast.deploy.releases import segments_of

    with place.catalog as catalog:
        segments = segments_of(catalog, logical_model, segment, all_segments=all_segments)
        catalog.set_switch(logical_model, segments, state, by=by, reason=reason)
        fallback = catalog.logical_model(logical_model).fallback
    for name in segments:
        click.echo(f"{place_name(logical_model, name)} is {_EFFECT[state]}")
    if state == "off":
        from loopcast.deploy.lookup import instead_of

        click.echo(instead_of(fallback))
