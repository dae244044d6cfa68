"""``loopcast fleet simulate``: a fleet for trying things out."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopcast.cli.fleet.options import label_option, labels_of
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from loopcast.store.home import Home


@click.command()
@store_options
@click.option(
    "--broker",
    "url",
    envvar="LOOPCAST_DEVICES_URL",
    default="mqtts://localhost:8883",
    show_default=True,
    show_envvar=True,
    help="The broker's port for devices; mqtt://HOST:PORT for one without certificates.",
)
@click.option("--devices", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="How many share the devices; by default one for each 1,000.",
)
@click.option("--prefix", default="sim-", show_default=True, help="What their names begin with.")
@label_option
@click.option("--seconds", type=float, default=60.0, show_default=True, help="How long it lasts.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same one draws the same accidents."
)
@click.option(
    "--scenario",
    default="calm",
    show_default=True,
    help="Accidents: calm, hard, or JSON that says them.",
)
@click.option(
    "--measure",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="JSON lines that each device measures.",
)
@click.option(
    "--replay",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="In place of --measure: a folder with JSON lines of each device, at times of their own.",
)
@click.option(
    "--step-s",
    type=int,
    default=1800,
    show_default=True,
    help="Seconds that a line of --measure stands for.",
)
@click.option(
    "--measure-every",
    type=float,
    default=1.0,
    show_default=True,
    help="Seconds between two measurements.",
)
@click.option(
    "--report-every",
    type=float,
    default=3600.0,
    show_default=True,
    help="Seconds between two reports of a device.",
)
def simulate(
    *,
    place: Home,
    url: str,
    devices: int,
    processes: int | None,
    prefix: str,
    labels: tuple[str, ...],
    seconds: float,
    seed: int,
    scenario: str,
    measure: Path | None,
    replay: Path | None,
    step_s: int,
    measure_every: float,
    report_every: float,
) -> None:
    """Run many devices, which are enrolled where they are not, and say as JSON what they did.

    Each is the agent that runs on a device, with its state machine, slots, outbox and interpreter.
    Scenarios bring churn, loss, slow links, wrong clocks and power cuts, the same for a seed.
    """
    from loopcast.cli import tables
    from loopcast.fleet.founding import keys_folder
    from loopcast.fleet.keyring import read_keys
    from loopcast.fleet.simulation import Simulation, enrol_simulated
    from loopcast.fleet.simulation import simulate as simulated

    wanted = Simulation(
        devices=devices,
        processes=processes or min(-(-devices // 1000), os.cpu_count() or 1),
        prefix=prefix,
        seconds=seconds,
        seed=seed,
        scenario=scenario,
        measure=measure,
        replay=replay,
        step_s=step_s,
        measure_every=measure_every,
        report_every=report_every,
        labels=tuple(labels_of(labels).items()),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no process is left behind
    with place.catalog:
        enrol_simulated(place, wanted)
        ring = read_keys(keys_folder(place))
        tables.print_json(simulated(place, ring, url, wanted))
