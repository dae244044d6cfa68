"""``loopcast fleet status`` and ``watch``: how rollouts stand, once or live."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.selection import json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from loopcast.fleet.overview import FleetView, RolloutView
    from loopcast.store.home import Home


@click.command()
@store_options
@click.argument("name", required=False)
@click.option("--page", type=click.Path(path_type=Path), help="Write a page of HTML.")
@json_option
def status(*, place: Home, name: str | None, page: Path | None, as_json: bool) -> None:
    """Say how the fleet stands, or rollout NAME with each of its steps."""
    from loopcast.cli import tables
    from loopcast.cli.fleet.fleet_tables import print_rollouts, print_steps
    from loopcast.fleet.overview import overview, rollout_view

    with place.catalog as catalog:
        if name is not None:
            one = rollout_view(catalog, catalog.rollout(name))
            _print(one, as_json=as_json)
            return
        found = overview(catalog)
    if page is not None:
        _write_page(page, found)
    if as_json:
        tables.print_json(found)
        return
    online = Counter(device.online for device in found.devices)[True]
    click.echo(f"{len(found.devices):,} devices, {online:,} of them online")
    print_rollouts(tables.terminal(), found.rollouts)
    if len(found.rollouts) == 1:
        print_steps(tables.terminal(), found.rollouts[0])


def _print(one: RolloutView, *, as_json: bool) -> None:
    from loopcast.cli import tables
    from loopcast.cli.fleet.fleet_tables import print_rollouts, print_steps

    if as_json:
        tables.print_json(one)
        return
    print_rollouts(tables.terminal(), [one])
    print_steps(tables.terminal(), one)


def _write_page(page: Path, found: FleetView) -> None:
    from datetime import UTC, datetime

    from loopcast.store.files import write_atomically
    from loopcast.web.fleet.page import render

    write_atomically(page, render(found, datetime.now(UTC)).encode())
    click.echo(f"page {page}")


@click.command()
@store_options
@click.argument("name")
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=0.5,
    show_default=True,
    help="Seconds between looks.",
)
@click.option("--timeout", type=float, help="Seconds after which it gives up, with exit code 3.")
def watch(*, place: Home, name: str, every: float, timeout: float | None) -> None:
    """Follow rollout NAME until it ends.

    The exit code is 0 where it is complete, 2 where it was stopped or aborted, and 3 where it
    still goes on.
    """
    from rich.live import Live

    from loopcast.cli import tables
    from loopcast.cli.fleet.fleet_tables import print_steps
    from loopcast.fleet.overview import rollout_view
    from loopcast.fleet.rollout import standing

    deadline = time.monotonic() + timeout if timeout else None
    console = tables.terminal()
    with place.catalog as catalog, Live(console=console, auto_refresh=False) as live:
        while True:
            course = catalog.rollout(name)
            view, state = rollout_view(catalog, course), standing(course.steps)
            live.update(_bar(view), refresh=True)
            late = deadline is not None and time.monotonic() >= deadline
            if state.over or late:
                break
            time.sleep(every)
    print_steps(console, view)
    if state.phase != "complete":
        raise SystemExit(2 if state.over else 3)


def _bar(view: RolloutView) -> RenderableType:
    """Return one line with the progress of the whole rollout."""
    from rich.columns import Columns
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    total = sum(stage.devices for stage in view.stages)
    told = sum(stage.devices for stage in view.stages if stage.reached)
    ratio = "" if view.ratio is None else f", errors {view.ratio:.3f} of the champion's"
    text = (
        f"{view.plan.name} is {view.phase}: {view.healthy:,} well, {view.failed:,} failed, "
        f"{view.waiting:,} waiting of {told:,} told{ratio}"
    )
    bar = ProgressBar(total=total or 1, completed=view.healthy, width=24)
    return Columns([bar, Text(text)])
