"""``loopcast models compare``: two versions on the same data, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import MetricDefinition
    from loopcast.develop.compare import Comparison
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("first")
@click.argument("second")
@click.option("--by", metavar="ATTRIBUTE", help="Also by subpopulation: hour, day_type, series.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(place: Home, as_json: bool, by: str | None, first: str, second: str) -> None:
    """Compare two versions that were judged on the same dataset in the same way.

    Each metric's difference (the second version minus the first) comes with its 95 % interval
    and p-value, from the rows that both were judged on. Overall metrics are shown; with --by
    also those of each subpopulation by one attribute. The JSON always holds all of them.
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.deploy.comparison import compare_versions

    with place.catalog:
        found = compare_versions(place, plugin_manager(), first, second)
    if as_json:
        tables.print_json(found.comparison)
    else:
        _print(found.comparison, found.metrics, by)


def _columns(comparison: Comparison) -> list[str]:
    first, second = comparison.first, comparison.second
    interval = f"{comparison.confidence:.0%} interval"
    return ["metric", "subset", first, second, "difference", interval, "p", f"{second} is"]


def _print(comparison: Comparison, metrics: Sequence[MetricDefinition], by: str | None) -> None:
    from loopcast.cli.tables import number, print_rows, terminal

    titles = {definition.name: definition.title for definition in metrics}
    print_rows(
        terminal(),
        f"on {comparison.dataset[:12]}, {comparison.protocol}",
        _columns(comparison),
        (
            [
                titles[found.metric],
                found.subset,
                number(found.first),
                number(found.second),
                number(found.difference, sign="+"),
                f"{number(found.low, sign='+')} to {number(found.high, sign='+')}",
                "–" if found.p_value is None else f"{found.p_value:.2g}",
                found.verdict,
            ]
            for found in comparison.differences
            if found.subset.partition("=")[0] in {"", by}
        ),
        numbers_from=2,
    )
