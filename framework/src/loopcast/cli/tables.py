"""Tables and records in the terminal; imported when a command prints one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loopcast.api import Version, place_name

PIPE_WIDTH = 200
"""Columns where output goes to a file or another program."""


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def plain_console(width: int | None = None) -> Console:
    """Return a console that prints texts as they are: ``pip install 'a[b]'`` is no markup."""
    return Console(highlight=False, markup=False, emoji=False, width=width)


def terminal() -> Console:
    """Return the console; what goes to a file or another program gets a fixed width."""
    console = plain_console()
    return console if console.is_terminal else plain_console(PIPE_WIDTH)


def table_of(*columns: str) -> Table:
    """Return an empty table without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"version", "metric"})
    return table


def print_rows(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers_from: int | None = None,
) -> None:
    """Print a titled table, or nothing where there are no rows."""
    table = table_of(*columns)
    for column in table.columns[numbers_from:] if numbers_from is not None else ():
        column.justify = "right"
    for row in rows:
        table.add_row(*map(Text, row))
    if table.row_count:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)


def print_pairs(console: Console, title: str, pairs: Mapping[str, str]) -> None:
    """Print titled names with values, or nothing where there are none."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in pairs.items():
        table.add_row(Text(name), Text(value))
    if pairs:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)


def place_of(version: Version) -> str:
    """Return the logical model and segment of a version."""
    return place_name(version.logical_model, version.segment)


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z" if moment else ""


def number(value: float | None, sign: str = "") -> str:
    """Return a number to five digits, a dash where it is undefined."""
    return "–" if value is None else f"{value:{sign},.5g}"
