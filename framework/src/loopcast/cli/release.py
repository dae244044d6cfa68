"""``loopcast release``: move versions one stage along."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import click

from loopcast.api import Goal
from loopcast.cli.selection import (
    at_option,
    by_option,
    policy_options,
    reason_option,
    selected,
    version_options,
)
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import Policy
    from loopcast.store.catalog import Standing
    from loopcast.store.home import Home


@click.command()
@store_options
@policy_options
@version_options
@click.option("--to", "goal", type=click.Choice(get_args(Goal)), help="The next one by default.")
@by_option
@reason_option
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Share of entities that a canary serves; 0.1 by default.",
)
@at_option
def release(
    *,
    place: Home,
    policy: Policy,
    which: dict[str, Any],
    goal: Goal | None,
    by: str,
    reason: str,
    share: float | None,
    at: datetime | None,
) -> None:
    """Move each VERSION along: candidate, staging, challenger or canary, champion.

    Everything that the policy demands for the move has to be done; otherwise it is refused, and
    what is missing is listed. All are moved or none. A champion that gives way is retired in the
    same moment.
    """
    from loopcast.cli.tables import place_of
    from loopcast.deploy.releases import release as release_versions
    from loopcast.govern.demands import next_goal

    with place.catalog as catalog:
        standings = selected(catalog, which)
        goal = goal or next_goal(standings[0])
        if share is not None and goal != "canary":
            raise click.UsageError(f"--share is for a canary, not for {goal}")
        share = (share or 0.1) if goal == "canary" else None
        moved = release_versions(
            place, standings, goal, policy, by=by, reason=reason, share=share, at=at
        )
    for standing in standings:
        version = standing.version
        unchanged = f"is in {goal} already; nothing was changed"
        done = _move(standing, goal, share) if version.id in moved else unchanged
        click.echo(f"{place_of(version)}: {version.id} {done}")


def _move(standing: Standing, goal: Goal, share: float | None) -> str:
    was = f", after {standing.champion}" if goal == "champion" and standing.champion else ""
    return f"{standing.stage} -> {goal}{f' ({share:.0%})' if share else ''}{was}"
