"""``loopcast sign``: record that a person answers for a move of a version."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import click

from loopcast.api import Goal
from loopcast.cli.selection import at_option, by_option, policy_options, selected, version_options
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Policy
    from loopcast.store.home import Home


@click.command()
@store_options
@policy_options
@version_options
@click.option("--role", required=True, help="In which role, as the policy names it.")
@click.option(
    "--for", "move", type=click.Choice(get_args(Goal)), required=True, help="For which move."
)
@by_option
@click.option("--statement", required=True, metavar="TEXT", help="What the person vouches for.")
@at_option
def sign(
    *,
    place: Home,
    policy: Policy,
    which: dict[str, Any],
    role: str,
    move: Goal,
    by: str,
    statement: str,
    at: datetime | None,
) -> None:
    """Sign, in a role, that each VERSION may enter a stage."""
    from datetime import UTC

    from loopcast.api import SignOff
    from loopcast.cli.tables import place_of

    policy.require_role(role)
    with place.catalog as catalog:
        standings = selected(catalog, which)
        items = [
            SignOff(
                version=standing.version.id,
                move=move,
                role=role,
                by=by,
                at=at or datetime.now(UTC),
                statement=statement,
            )
            for standing in standings
        ]
        catalog.sign(items)
    for standing in standings:
        version = standing.version
        where = place_of(version)
        click.echo(f"{where}: {version.id} signed for {move} by {by}, {role}")
