"""``loopcast models compare``: two versions on the same data, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.api import MetricDefinition
    from loopcast.deploy.comparison import ComparedVersions
    from loopcast.develop.compare import Comparison
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("first")
@click.argument("second")
@click.option("--by", metavar="ATTRIBUTE", help="Also by subpopulation: hour, day_type, series.")
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def compare(
    *, place: Home, as_json: bool, by: str | None, page: Path | None, first: str, second: str
) -> None:
    """Compare two versions that were judged on the same dataset in the same way.

    Each metric's difference (the second version minus the first) comes with its 95 % interval
    and p-value, from the rows that both were judged on. Overall metrics are shown; with --by
    also those of each subpopulation by one attribute. The JSON always holds all of them. The
    page also shows errors or calibration, what both learned, and the settings that differ.
    """
    from loopcast.cli import plugin_manager, tables
    from loopcast.deploy.comparison import compare_versions

    plugins = plugin_manager()
    with place.catalog:
        found = compare_versions(place, plugins, first, second)
        if page is not None:
            _write(page, place, plugins, found)
    if as_json:
        tables.print_json(found.comparison)
    else:
        _print(found.comparison, found.metrics, by)


def _write(page: Path, place: Home, plugins: PluginManager, found: ComparedVersions) -> None:
    from datetime import UTC, datetime

    from loopcast.deploy.comparison import settings_that_differ
    from loopcast.deploy.learned import effects_of
    from loopcast.deploy.loaded import load_version
    from loopcast.store.files import write_atomically
    from loopcast.web.comparison.page import render
    from loopcast.web.comparison.report import ComparisonReport

    report = ComparisonReport(
        logical_model=found.logical_model,
        versions=found.versions,
        comparison=found.comparison,
        judged=found.judged,
        metrics={metric.name: metric for metric in found.metrics},
        settings=settings_that_differ(*found.manifests),
        effects={v.id: effects_of(load_version(place, plugins, v)) for v in found.versions},
        created=datetime.now(UTC),
    )
    write_atomically(page, render(report).encode())


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
