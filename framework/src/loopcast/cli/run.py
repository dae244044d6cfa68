"""One run: what it is made of, and which way it goes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.stores import home_of
from loopcast.cli.tables import plain_console
from loopcast.deploy.region import find_region
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.source import source_of
from loopcast.iterate.course import course_of

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings


def execute(settings: RunSettings, run_dir: Path, plugins: PluginManager) -> None:
    """Carry out one run.

    Raises
    ------
    LoopcastError
        Where data, configuration or a model stops it; nothing is half-written then.
    """
    home = home_of(settings.store)
    serves = settings.job.name == "serve"
    region = None if serves else find_region(home, plugins, settings.logical_model)
    run = Run(
        settings=settings,
        plugins=plugins,
        course=course_of(settings, plugins, region),
        source=source_of(settings.data, plugins.reader(settings.data.reader), Path.cwd()),
        home=home,
        folder=run_dir,
        console=plain_console(),
        moment=settings.job.moment,
    )
    run.console.print(Text(settings.logical_model.title, style="bold"))
    course, alone = run.course, settings.data.table.segment is None
    if settings.job.name == "retrain":
        from loopcast.cli.retrain_run import execute_retraining

        execute_retraining(run)
    elif isinstance(course, ForecastCourse) and alone:
        from loopcast.cli.forecast_run import execute_forecast
        from loopcast.cli.retrain_run import retraining

        watch = Stopwatch()
        before: AbstractContextManager[dict[str, Any]] = nullcontext({})
        if settings.job.name == "night":
            before = retraining(run, watch)
        with before as told:
            execute_forecast(run, course, watch, told)
    elif settings.job.name == "night":
        from loopcast.cli.night_run import execute_night

        execute_night(run)
    else:
        from loopcast.cli.segment_run import execute_segments

        execute_segments(run)
