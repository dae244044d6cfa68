"""What a run works with, and how long its stages take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from loopcast.develop.course import Course
    from loopcast.develop.source import Source
    from loopcast.iterate.releasing import Rules
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings
    from loopcast.store.home import Home

_NEEDED = ("loopcast.cli", "loopcast.store.readers", "fsspec.implementations.local")
"""The program, whose main module each process runs again; what reads tables and artifacts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """One run: what it was told, and what it works with.

    Attributes
    ----------
    folder
        Where its results go.
    moment
        When it is: now, or the moment of a replay.
    """

    settings: RunSettings
    plugins: PluginManager
    course: Course[Any]
    source: Source
    home: Home
    folder: Path
    console: Console
    moment: datetime

    @property
    def name(self) -> str:
        """Of its logical model."""
        return self.settings.logical_model.name

    @property
    def rules(self) -> Rules:
        """By what a training releases."""
        from loopcast.iterate.releasing import Rules

        return Rules(policy=self.settings.policy, plugins=self.plugins)

    @property
    def modules(self) -> tuple[str, ...]:
        """What processes that share its work need, but for plugins, whatever the work is."""
        task, job = self.settings.logical_model.task, self.settings.job.name
        trains = ("loopcast.iterate.batch", f"loopcast.iterate.{task}")
        answers = ("loopcast.serve.family", f"loopcast.serve.{task}")
        both = (*trains, *answers)
        own = {
            "train": trains,
            "retrain": trains,
            "serve": answers,
            "night": (*both, "loopcast.iterate.night_batch"),
        }
        return (*_NEEDED, *own.get(job, both))


@dataclass(frozen=True)
class Stopwatch:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
