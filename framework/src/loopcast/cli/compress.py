"""``loopcast compress``: the smallest .tflite file of a version within its budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import by_option, json_option, output_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.deploy.compress.search import Candidate, Search
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("version")
@output_option
@click.option("--series", default="", help="Series that the file of a forecast is of.")
@click.option(
    "--like", metavar="VERSION", help="Version that devices have: keep the scales of its file."
)
@click.option(
    "--bytes",
    "size",
    type=click.IntRange(1),
    help="Largest file, in place of the configured budget.",
)
@click.option(
    "--error",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Largest error, as a share of the largest answer; likewise.",
)
@click.option(
    "--microseconds",
    type=click.FloatRange(0.0, min_open=True),
    help="Longest time of a row here; likewise.",
)
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@by_option
@json_option
def compress(
    *,
    place: Home,
    version: str,
    output: Path,
    series: str,
    like: str | None,
    size: int | None,
    error: float | None,
    microseconds: float | None,
    page: Path | None,
    by: str,
    as_json: bool,
) -> None:
    """Write the smallest .tflite file of VERSION that keeps to its budget.

    Files with fewer knots, fewer terms, large products of weights at lower ranks and weights of
    fewer bits are written, run and compared with the model on its test scenario and all over its
    domain. The budget is that of the logical
    model (device: bytes, error, microseconds).
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.deploy.compress.version import compress as compressed
    from loopcast.deploy.compress.version import keep

    given = {"bytes": size, "error": error, "microseconds": microseconds}
    changes = {name: value for name, value in given.items() if value is not None}
    with place.catalog:
        done = compressed(place, plugin_manager(), version, changes, series=series, like=like)
        digest = keep(place, done, by=by, output=output)
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.compression.page import render

        write_atomically(page, render(done).encode())
    if as_json:
        front = [_measured(one) for one in done.search.front]
        chosen = _measured(done.search.chosen)
        tables.print_json({"file": digest, "chosen": chosen, "front": front})
        return
    _print(done.search)
    click.echo(f"{output}: {done.search.chosen.size:,} bytes, sha256 {digest}")


def _measured(one: Candidate) -> dict[str, object]:
    measures = {"bytes": one.size, "error": one.error, "microseconds": one.microseconds}
    return {"choice": one.choice, **measures}


def _print(found: Search) -> None:
    from loopcast.cli.tables import print_rows, terminal

    rows = [
        [
            one.choice.precision,
            f"{one.choice.moved:.2g}",
            f"{one.choice.pruned:.2g}",
            "all" if one.choice.rank is None else str(one.choice.rank),
            f"{one.size:,}",
            f"{one.error:.2g}",
            f"{one.microseconds:.1f}",
            "chosen" if one is found.chosen else "",
        ]
        for one in found.front
    ]
    columns = ("weights", "curves move", "terms left out", "rank", "bytes", "error", "µs a row", "")
    print_rows(
        terminal(), f"the front; allowed: {found.budget.words}", columns, rows, numbers_from=1
    )
