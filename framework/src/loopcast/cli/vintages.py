"""``loopcast vintages``: months of scores, as their outcomes mature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import DAY, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.monitor.vintages import Vintage
    from loopcast.store.home import Home


@click.command()
@store_options
@click.option("--logical-model", "-m", required=True, help="What to look at.")
@click.option("--segment", "-s", default="", help="Of this segment of a family.")
@click.option(
    "--months", type=click.IntRange(1, 120), default=12, show_default=True,
    help="Months on book within which the event is scored.",
)  # fmt: skip
@click.option("--at", type=DAY, metavar="DAY", help="As of this day in UTC; now by default.")
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def vintages(
    *,
    place: Home,
    logical_model: str,
    segment: str,
    months: int,
    at: datetime | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Follow the predictions of each month: events by months on book, against what was said.

    A vintage is looked at up to the age that all of its cases have reached, so that events, which
    are known early, do not count before the others. One that has not reached the end of the
    window is not mature, and is compared with what older ones had seen at its age.
    """
    from loopcast.cli import tables
    from loopcast.monitor.vintages import vintages_of

    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    with place.catalog as catalog:
        model = catalog.logical_model(logical_model)
        found = vintages_of(place, model, segment, months, now)
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.vintages.page import Followed, render

        followed = Followed(model=model, segment=segment, window=months, at=now, vintages=found)
        write_atomically(page, render(followed).encode())
    if as_json:
        tables.print_json(found)
    else:
        _print(found, model.title, months)


def _print(found: Sequence[Vintage], title: str, window: int) -> None:
    from loopcast.cli.tables import print_rows, terminal

    print_rows(
        terminal(),
        f"{title}: events by months on book",
        ["month", "cases", *map(str, range(1, window + 1))],
        ([one.month, f"{one.cases:,}", *(f"{share:.1%}" for share in one.shares)] for one in found),
        numbers_from=1,
    )
    print_rows(
        terminal(),
        "What was said, and what came of it by its age",
        ["month", "age", "said", "expected by its age", "happened / expected", "AUC"],
        (
            [
                one.month,
                f"{one.age}" if one.mature else f"{one.age} of {window}, not mature",
                f"{one.said:.1%}",
                "–" if one.expected is None else f"{one.expected:.1%}",
                _interval(one.ratio),
                _interval(one.auc),
            ]
            for one in found
        ),
        numbers_from=2,
    )


def _interval(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
