"""``loopcast feedback``: what came of recommendations, and what they have earned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.iterate.feedback import Amount, Outcome
    from loopcast.store.home import Home

_MODEL = click.option("--logical-model", "-m", required=True, help="Whose lists they were.")
_DAYS = click.option(
    "--days",
    type=click.IntRange(min=1),
    default=14,
    show_default=True,
    help="Days after a list in which what came of it counts.",
)


@click.group()
def feedback() -> None:
    """Bring in what was shown, clicked and bought, and say what lists have earned."""


@feedback.command()
@store_options
@click.argument("file", type=click.Path(path_type=Path))
@_MODEL
@_DAYS
@click.option(
    "--outcome",
    type=click.Choice(["clicked", "revenue"]),
    default="clicked",
    show_default=True,
    help="What the ground truth of a list is.",
)
@click.option("--reader", help="A reader of tables; by the file's name where it is left out.")
@json_option
def ingest(
    *,
    place: Home,
    file: Path,
    logical_model: str,
    days: int,
    outcome: str,
    reader: str | None,
    as_json: bool,
) -> None:
    """Bring in the feedback in FILE: Parquet, CSV, or what a plugin's reader reads.

    Columns are id (of the recommendation), item, kind (shown, clicked, bought), time, and the value
    of a purchase. The same file again changes nothing. What came of each list becomes its ground
    truth, which experiments and bandits learn from.
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.iterate.feedback import deliver_feedback, heard_of, learn_outcomes
    from loopcast.monitor.delivery import read_table

    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
    name = reader or ("parquet" if file.suffix == ".parquet" else "csv")
    rows = deliver_feedback(read_table(file, plugin_manager().reader(name)), model, place)
    heard = heard_of(rows, model, place)
    done = learn_outcomes(model, place, cast("Outcome", outcome), days)
    if as_json:
        tables.print_json({"rows": rows.num_rows, "heard": heard, "ingestion": done})
        return
    changed = done.new + done.corrected + done.outdated + done.confirmed
    click.echo(
        f"{rows.num_rows:,} rows about {heard.lists:,} lists; what is known of {changed:,} lists "
        "is new or another than before"
    )
    if heard.unlogged:
        click.echo(
            f"{heard.unlogged:,} of these lists nobody logged, such as the list for newcomers; "
            f"what came of them teaches nothing: {', '.join(heard.examples)}"
        )


@feedback.command()
@store_options
@_MODEL
@_DAYS
@json_option
def worth(*, place: Home, logical_model: str, days: int, as_json: bool) -> None:
    """Say what a list earns in some days, and what it would if champions alone served.

    The estimate is made from logged propensities, with its 95 % interval by entity.
    """
    from loopcast.cli import tables
    from loopcast.iterate.feedback import worth as estimate

    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
    found = estimate(model, place, datetime.now(UTC), days=days)
    if as_json:
        tables.print_json(found)
        return
    click.echo(f"{found.lists:,} lists, {found.heard:,} with feedback; {found.young:,} too young")
    if not found.lists:
        click.echo(f"no list is {found.days} days old yet; --days DAYS counts younger ones")
        return
    for name, amount in (
        ("as served", found.served),
        ("champions alone", found.champion),
        ("uplift", found.uplift),
    ):
        click.echo(f"  {name:<16}{_said(amount)}")


def _said(amount: Amount) -> str:
    if amount.low is None:
        return f"{amount.value:.4g} a list; too little is known for an interval"
    return f"{amount.value:.4g} a list ({amount.low:.4g} to {amount.high:.4g})"
