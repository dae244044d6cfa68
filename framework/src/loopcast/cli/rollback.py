"""``loopcast rollback``: return to the last good champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopcast.api import place_name
from loopcast.cli.selection import by_option, reason_option, segment_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("logical_model")
@segment_options
@by_option
@reason_option
def rollback(
    *,
    place: Home,
    logical_model: str,
    segment: str | None,
    all_segments: bool,
    by: str,
    reason: str,
) -> None:
    """Return a LOGICAL_MODEL to its last good champion, at once.

    Good is one that was champion before, was not rolled back from since, and whose files are
    intact. Nothing is signed or validated for it: it has been champion.
    """
    from loopcast.deploy.releases import roll_back, segments_of

    with place.catalog as catalog:
        segments = segments_of(catalog, logical_model, segment, all_segments=all_segments)
        done = roll_back(place, logical_model, segments, by=by, reason=reason)
    for item in done:
        skipped = f"; damaged and skipped: {', '.join(item.skipped)}" if item.skipped else ""
        where = place_name(logical_model, item.segment)
        click.echo(f"{where}: {item.came} is champion again, after {item.went}{skipped}")
