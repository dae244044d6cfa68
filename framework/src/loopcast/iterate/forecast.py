"""The steps of a training for the task *forecast*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loopcast.api import Engine, ForecastData, ForecastSchema, LogicalModel, LoopcastError
from loopcast.deploy.forecast_bundle import pack
from loopcast.develop.course import Advance, Course
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.develop.forecast.inputs import inputs_of
from loopcast.develop.forecast.train import train
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.develop.known import Known
from loopcast.iterate.tasks import Made, TaskSteps
from loopcast.monitor.training import reference_file

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.settings import DataSettings


def _know(
    table: pd.DataFrame, settings: DataSettings, model: LogicalModel, source: str, day: str | None
) -> KnownForecast:
    assert isinstance(model.schema, ForecastSchema)
    return known_forecast(table, settings, model.schema, source, day)


def _make(
    course: Course[Any],
    family: Mapping[str, Known[ForecastData]],
    engine: Engine,
    advance: Advance,
) -> Iterator[tuple[str, Made | LoopcastError]]:
    assert isinstance(course, ForecastCourse)
    for segment, known in family.items():
        try:
            yield segment, _make_one(replace(course, segment=segment), known, engine, advance)
        except LoopcastError as error:
            yield segment, error


def _make_one(
    course: ForecastCourse, known: Known[ForecastData], engine: Engine, advance: Advance
) -> Made:
    trained = train(course, known.training, known.dataset.fingerprint, engine, advance)
    files = pack(trained, course.candidate, known.training, course.schema, course.fallback)
    judged = trained.contest.judged
    return Made(
        datasets=(known.dataset,),
        files={
            **files,
            JUDGED_FILE: judged_bytes(judged),
            **reference_file(known.training, judged, course.seed),
        },
        evaluations=trained.contest.evaluations,
        gates=trained.gates,
    )


STEPS = TaskSteps(know=_know, inputs=inputs_of, make=_make)
