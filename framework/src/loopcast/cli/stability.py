"""``loopcast stability``: population and characteristic stability, by segment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.api import NotFoundError
from loopcast.cli.selection import DAY, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.monitor.population import Stability
    from loopcast.store.home import Home

SPAN = timedelta(days=90)


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="What to look at.")
@click.option(
    "--since", type=DAY, metavar="DAY", help="First day in UTC; 90 days before the last by default."
)
@click.option(
    "--until", type=DAY, metavar="DAY", help="Day after the last, in UTC; today by default."
)
@click.option(
    "--shifting",
    type=float,
    default=0.10,
    show_default=True,
    help="An index from here on is shifting.",
)
@click.option(
    "--shifted",
    type=float,
    default=0.25,
    show_default=True,
    help="An index from here on is shifted.",
)
@click.option("--all", "everything", is_flag=True, help="Show what is stable, too.")
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def stability(
    *,
    place: Home,
    logical_model: str,
    since: datetime | None,
    until: datetime | None,
    shifting: float,
    shifted: float,
    everything: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Say how far scores and characteristics have moved since the training, by segment.

    Inputs are compared with the same calendar months of the training where it spans a year, else
    with all of it.

    The population stability index is judged by the limits; Kolmogorov and Smirnov's distance and
    Wasserstein's are beside it. An index of so few rows that chance explains it is no shift.
    """
    from loopcast.cli import tables
    from loopcast.monitor.counting import count_days
    from loopcast.monitor.daily import daily_sketches
    from loopcast.monitor.population import StabilityLimits, population_stability

    if shifted < shifting:
        raise click.UsageError(f"--shifted {shifted:g} is below --shifting {shifting:g}")
    now = datetime.now(UTC)
    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
        count_days(place, daily_sketches(place), model, now)
        end = min((until or now).replace(tzinfo=UTC), now.replace(hour=0, minute=0, second=0))
        last = (end - timedelta(days=1)).date()
        first = since.date() if since else (end - SPAN).date()
        limits = StabilityLimits(shifting=shifting, shifted=shifted)
        found = population_stability(place, model.name, first, last, limits)
    if not found:
        raise NotFoundError(
            f"{model.name} has no predictions from {first} to {last} to compare with the training "
            "of their versions; a day counts once it is over: look again tomorrow, or at other days"
        )
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.stability.page import Compared, render

        compared = Compared(model=model, first=first, last=last, limits=limits, found=found)
        write_atomically(page, render(compared).encode())
    if as_json:
        tables.print_json(found)
    else:
        _print(found, f"{model.title}, {first} to {last}", everything=everything)


def _print(found: Sequence[Stability], title: str, *, everything: bool) -> None:
    from loopcast.cli.tables import number, print_rows, terminal

    shown = [one for one in found if everything or one.verdict != "stable" or _is_score(one)]
    print_rows(
        terminal(),
        title,
        ["segment", "subpopulation", "of", "name", "verdict", "rows", "PSI", "KS", "Wasserstein"],
        (
            [
                one.segment, one.subset, one.of, one.name, one.verdict, f"{one.rows:,}",
                f"{one.psi:.3f}", number(one.ks), number(one.wasserstein),
            ]
            for one in shown
        ),
        numbers_from=5,
    )  # fmt: skip
    click.echo(f"{len(found) - len(shown)} more are stable")


def _is_score(one: Stability) -> bool:
    return one.of == "population" and not one.subset
