"""``loopcast models board``: the versions of a logical model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option, limit_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from loopcast.deploy.board import Board
    from loopcast.store.home import Home

SIDE_BY_SIDE = 4
"""Columns that are printed beside a version."""


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

    console = terminal()
    print_rows(
        console,
        f"on {found.dataset[:12]}, {found.protocol}",
        ["version", "stage", "to the best", "interval", "it is"],
        (
            [
                row.version.id,
                row.stage,
                number(row.against_best.difference, sign="+") if row.against_best else "best",
                _interval(row.against_best),
                row.against_best.verdict if row.against_best else "",
            ]
            for row in found.rows
        ),
    )
    _print_columns(
        console,
        found,
        "metrics",
        {m.name: [number(row.values[m.name]) for row in found.rows] for m in found.metrics},
    )
    _print_columns(
        console,
        found,
        "settings that differ",
        {name: [row.settings[name] for row in found.rows] for name in found.rows[0].settings},
    )
    if found.left_out:
        console.print(f"{found.left_out} versions were judged on other data or otherwise")


def _print_columns(
    console: Console, found: Board, title: str, columns: Mapping[str, Sequence[str]]
) -> None:
    """Print columns of the board, few at a time, so that a narrow terminal breaks no names."""
    from loopcast.cli.tables import print_rows

    versions, all_names = [row.version.id for row in found.rows], list(columns)
    for start in range(0, len(all_names), SIDE_BY_SIDE):
        names = all_names[start : start + SIDE_BY_SIDE]
        rows = zip(versions, *(columns[name] for name in names), strict=True)
        print_rows(console, title, ["version", *names], rows)


def _interval(difference: object) -> str:
    from loopcast.cli.tables import number
    from loopcast.develop.compare import Difference

    if not isinstance(difference, Difference) or difference.low is None:
        return ""
    return f"{number(difference.low, sign='+')} to {number(difference.high, sign='+')}"
