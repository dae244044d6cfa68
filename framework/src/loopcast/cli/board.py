"""``loopcast models board``: the versions of a logical model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option, limit_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.deploy.board import Board
    from loopcast.store.home import Home


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="Whose versions.")
@click.option("--segment", "-s", default="", help="Of this segment of a family.")
@limit_option
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def board(
    *,
    place: Home,
    logical_model: str,
    segment: str,
    limit: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Set the newest versions side by side that were judged as the newest one was.

    The best by the KPI comes first; the others show their difference to it on the same rows,
    with its 95 % interval, and the settings that are not the same for all.
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.deploy.board import board as made

    with place.catalog:
        found = made(place, plugin_manager(), logical_model, segment, limit=limit)
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.comparison.board import render

        write_atomically(page, render(found).encode())
    if as_json:
        tables.print_json(
            {"dataset": found.dataset, "protocol": found.protocol, "versions": found.rows}
        )
    else:
        _print(found)


def _print(found: Board) -> None:
    from loopcast.cli.tables import number, print_rows, terminal

    settings = list(found.rows[0].settings)
    names = [metric.name for metric in found.metrics]
    print_rows(
        terminal(),
        f"on {found.dataset[:12]}, {found.protocol}",
        ["version", "stage", *names, "to the best", "interval", "it is", *settings],
        (
            [
                row.version.id,
                row.stage,
                *(number(row.values[name]) for name in names),
                number(row.against_best.difference, sign="+") if row.against_best else "best",
                _interval(row.against_best),
                row.against_best.verdict if row.against_best else "",
                *(row.settings[name] for name in settings),
            ]
            for row in found.rows
        ),
    )
    if found.left_out:
        terminal().print(f"{found.left_out} versions were judged on other data or otherwise")


def _interval(difference: object) -> str:
    from loopcast.cli.tables import number
    from loopcast.develop.compare import Difference

    if not isinstance(difference, Difference) or difference.low is None:
        return ""
    return f"{number(difference.low, sign='+')} to {number(difference.high, sign='+')}"
