"""The runs of a multirun: counted, within a budget, and compared at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loopcast.settings import BudgetSettings, RunSettings

SUMMARY = "summary.json"


@dataclass
class Multirun:
    """The runs of one multirun, one after the other in this process.

    A run that finds its version in the catalog costs no fit, so that a multirun that was
    interrupted goes on where it stopped.

    Attributes
    ----------
    execute
        Carries out one run.
    trained, found, skipped
        How many runs trained, found their version, or were left out.
    """

    execute: Callable[[RunSettings, Path], None]
    clock: Callable[[], float] = time.monotonic
    trained: int = 0
    found: int = 0
    skipped: int = 0
    why: str = ""
    logical_models: dict[str, None] = field(default_factory=dict)
    _started: float | None = None

    def run(self, settings: RunSettings, folder: Path) -> None:
        """Carry out a run, or leave it out where the budget is spent."""
        if self._started is None:
            self._started = self.clock()
        spent = self._spent(settings.budget)
        if spent:
            self._skip(spent, folder)
            return
        self.logical_models[settings.logical_model.name] = None
        try:
            self.execute(settings, folder)
        except BaseException:
            self.trained += 1  # a run that failed has cost as much as one that did not
            raise
        if _has_trained(folder / SUMMARY):
            self.trained += 1
        else:
            self.found += 1

    def _spent(self, budget: BudgetSettings) -> str:
        """Say what is spent; the empty string while there is some left."""
        if budget.fits is not None and self.trained >= budget.fits:
            return f"the budget of {budget.fits} fits is spent"
        minutes = (self.clock() - (self._started or 0.0)) / 60.0
        if budget.minutes is not None and minutes >= budget.minutes:
            return f"the budget of {budget.minutes:g} minutes is spent"
        return ""

    def _skip(self, reason: str, folder: Path) -> None:
        from loopcast.store.files import write_atomically

        self.skipped, self.why = self.skipped + 1, reason
        write_atomically(folder / SUMMARY, json.dumps({"skipped": reason}, indent=2).encode())
        click.echo(f"skipped: {reason}")

    def conclude(self) -> None:
        """Say what was done and left out, and how to set the versions side by side."""
        if self.trained + self.found + self.skipped < 2:
            return
        left_out = f", {self.skipped} skipped, since {self.why}" if self.skipped else ""
        click.echo(f"multirun: {self.trained} trained, {self.found} found{left_out}")
        for name in self.logical_models:
            click.echo(f"  'loopcast models board -m {name}' sets their versions side by side")


def _has_trained(summary: Path) -> bool:
    """Read from a run's summary whether it trained."""
    content = json.loads(summary.read_bytes()) if summary.exists() else {}
    return bool(content.get("trained_now")) or "training" in content
