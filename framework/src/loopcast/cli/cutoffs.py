"""``loopcast models cutoffs``: what a score decides at cut-offs, and which to choose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.deploy.cutoffs import Cutoffs
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.develop.score.cutoffs import Operating
    from loopcast.store.home import Home

_SHARES = click.FloatRange(0.0, 1.0)


@click.command()
@store_options
@click.argument("version")
@click.option(
    "--event-rate", type=_SHARES, multiple=True, help="Grant the most with this share of events."
)
@click.option("--granted", type=_SHARES, multiple=True, help="Grant this share of cases.")
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def cutoffs(
    *,
    place: Home,
    version: str,
    event_rate: tuple[float, ...],
    granted: tuple[float, ...],
    page: Path | None,
    as_json: bool,
) -> None:
    """Say what VERSION decides at its cut-off, and which cut-offs reach a goal.

    The most profit is a goal where the logical model says what decisions earn. All is measured on
    the rows of the version's contest, overall and by subpopulation, with 95 % intervals. A
    cut-off flatters itself on the rows that chose it: what others may earn is shown beside.
    """
    from loopcast.cli import tables
    from loopcast.deploy.cutoffs import cutoffs_of
    from loopcast.develop.score.cutoffs import Goal

    goals = [Goal(kind="events", target=share) for share in event_rate]
    goals += [Goal(kind="granted", target=share) for share in granted]
    with place.catalog:
        found = cutoffs_of(place, version, goals)
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.cutoffs.page import render

        write_atomically(page, render(found).encode())
    if as_json:
        tables.print_json(
            {
                "version": found.version.id,
                "configured": found.configured,
                "choices": found.choices,
                "by": found.by,
                "curve": found.curve,
            }
        )
    else:
        _print(found)


def _print(found: Cutoffs) -> None:
    from loopcast.cli.tables import print_rows, terminal
    from loopcast.web.cutoffs.words import goal_words

    rows = [] if found.configured is None else [["as configured", *_cells(found.configured, "")]]
    for choice in found.choices:
        moved = f"{choice.low:.3g} to {choice.high:.3g}"
        expected = "–" if choice.expected is None else f"{choice.expected:.4g}"
        rows.append([goal_words(choice.goal), *_cells(choice.at, moved), expected])
    amounts = found.used.granted_amount is not None
    columns = _columns("cut-off for", amounts=amounts)
    print_rows(terminal(), f"on {found.protocol}", columns, rows, numbers_from=1)
    print_rows(
        terminal(),
        f"by subpopulation, at {found.used.cutoff:.3g}",
        ["subpopulation", "rows", *_columns("", amounts=amounts)[3:-1]],
        ([name, f"{at.rows:,}", *_cells(at, "")[2:]] for name, at in found.by.items()),
        numbers_from=1,
    )


def _columns(first: str, *, amounts: bool) -> Sequence[str]:
    from loopcast.web.cutoffs.words import AMOUNTS

    measured = ("granted", "events among them", *(AMOUNTS if amounts else ()), "profit a case")
    return (first, "cut-off", "interval", *measured, "expected")


def _cells(at: Operating, moved: str) -> list[str]:
    told = (at.granted, at.events, at.granted_amount, at.events_amount)
    shares = [_rate(one, "%") for one in told if one is not None]
    return [f"{at.cutoff:.3g}", moved, *shares, _rate(at.profit, "") if at.profit else "–"]


def _rate(rate: Interval, unit: str) -> str:
    if unit:
        return f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})"
    return f"{rate.value:.4g} ({rate.low:.4g} to {rate.high:.4g})"
