"""The program ``loopcast``: commands, imported when they are called."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from typing import TYPE_CHECKING

import click

from loopcast.api import LoopcastError
from loopcast.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings

# Modules of this package by command, with what the help says, so that it imports none of them.
COMMANDS = {
    "run": "Train where needed, predict, retrain: the main job, configured by Hydra.",
    "models": "List, show and compare versions.",
    "explain": "Say why a version scores as it does, and what would change a decision.",
    "fairness": "Measure whom a version serves how well, and what evening it out would cost.",
    "validate": "Run the gates that the policy demands of a version.",
    "release": "Move versions along: staging, challenger or canary, champion.",
    "sign": "Sign that a version may enter a stage.",
    "rollback": "Return to the last good champion.",
    "switch": "Switch a logical model on, freeze it, or switch it off.",
    "export": "Write a version in SQL, C, ONNX or TFLite, compared with its model first.",
    "compress": "Write the smallest TFLite file of a version within its budget.",
    "audit": "List and check the audit log.",
    "monitor": "Look at volume, drift and performance, and raise alerts.",
    "stability": "Say how far scores and characteristics have moved, by segment.",
    "vintages": "Follow months of scores as their outcomes mature.",
    "truth": "Bring in what came true, and see what is known.",
    "feedback": "Bring in what came of recommendations, and say what they have earned.",
    "experiment": "Compare versions online: shadows, A/B tests and bandits.",
    "fleet": "Bring versions to devices, stage by stage, and their experience back.",
    "events": "Ask and compact the event log.",
    "plugins": "List what is installed, and what it offers.",
    "database": "Check and upgrade the catalog's schema.",
}


@click.group(
    cls=LazyGroup,
    package=__name__,
    said=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="loopcast", message="%(package)s %(version)s")
def loopcast() -> None:
    """Carry logical models round their loop: develop, validate, deploy, monitor, iterate.

    Start with 'loopcast run', and 'loopcast run --help' for what it can be told.
    """


@loopcast.command("run", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.option("--disable", multiple=True, metavar="PLUGIN", help="Do not import a plugin.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_command(disable: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Hand the arguments to Hydra, which composes the configuration and calls the job."""
    from loopcast import config
    from loopcast.cli.multirun import Multirun

    plugins = plugin_manager((*disable, *config.disabled(arguments)))

    def job(settings: RunSettings, run_dir: Path) -> None:
        from loopcast.cli.run import execute

        execute(settings, run_dir, plugins)

    multirun = Multirun(job)
    try:
        config.run(arguments, plugins, multirun.run)
    finally:
        multirun.conclude()


def plugin_manager(disable: Iterable[str] = ()) -> PluginManager:
    """Load the core's own hooks and the installed plugins."""
    from loopcast.develop import metrics
    from loopcast.develop.fairness import mitigations
    from loopcast.develop.rank import metrics as rank_metrics
    from loopcast.develop.score import decisions, delinquency
    from loopcast.develop.score import metrics as score_metrics
    from loopcast.plugins import PluginManager
    from loopcast.store import readers
    from loopcast.validate import gates

    builtin = (
        readers,
        delinquency,
        metrics,
        score_metrics,
        decisions,
        rank_metrics,
        gates,
        mitigations,
    )
    return PluginManager.load(disable, builtin=builtin)


def use_one_thread_for_algebra() -> None:
    """Keep linear algebra to one thread in this process and its workers.

    Sums depend on how many threads add them up, and a version's identity on every bit of its
    model; parallel work goes over processes instead. What the environment says already stays.
    """
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB"):
        suffix = "MAXIMUM_THREADS" if library == "VECLIB" else "NUM_THREADS"
        os.environ.setdefault(f"{library}_{suffix}", "1")


def seldom_look_for_cycles() -> None:
    """Let Python look for cycles of objects a tenth as often, here and in workers, nor at the end.

    It looks through all that is imported, which stays, while work is done on arrays: that took a
    twentieth of a night of small tenants, and as much of the start of a command; at the end, when
    everything goes, a fifth of a second. What it has looked at once and found in use, it looks at
    again more seldom still, which took as much of a start again.
    """
    gc.set_threshold(10_000, 50, 10)
    atexit.register(gc.freeze)


def main() -> None:
    """Run the program; an error of loopcast's own is one line and exit code 1.

    Whoever is told to end, by an interrupt or as services are, removes what it has half-written.
    """
    signal(SIGTERM, default_int_handler)
    seldom_look_for_cycles()
    use_one_thread_for_algebra()  # before anything imports NumPy
    try:
        loopcast(prog_name="loopcast")
    except LoopcastError as error:
        sys.stderr.write(f"loopcast: error: {error}\n")
        sys.exit(1)
