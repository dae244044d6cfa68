"""The steps of a training for the task *forecast*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    Engine,
    Evaluation,
    FitContext,
    Forecast,
    ForecastData,
    ForecastSchema,
    Judged,
    LogicalModel,
    LoopcastError,
    ModelError,
)
from loopcast.deploy.forecast_bundle import pack
from loopcast.develop.course import Advance, Contender, Course
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.covered import Covered
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.develop.forecast.inputs import inputs_of
from loopcast.develop.forecast.train import run_contest, train
from loopcast.develop.known import Known
from loopcast.iterate.tasks import Champion, Contest, Made, TaskSteps
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
    files = pack(trained, course, known.training)
    judged = trained.contest.judged
    return Made(
        datasets=(known.dataset,),
        files={
            **files,
            **reference_file(known.training, judged, course.seed),
        },
        evaluations=trained.contest.evaluations,
        gates=trained.gates,
        contest=Contest(judged=judged),
    )


@dataclass(frozen=True)
class _Whole:
    """A fitted model with its fallback as one forecaster, which lacks no series."""

    model: Covered
    failures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        return Forecast(mean=self.model.predict(known, horizon).mean)


@dataclass(frozen=True)
class _AsItIs:
    """A template whose fit gives back models that were fitted before, by their step."""

    name: str
    models: Mapping[str, Covered]

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, _Whole | LoopcastError]]:
        for segment, data in family.items():
            model = self.models.get(data.step)
            absent = ModelError(f"it has no model of step {data.step}")
            yield segment, _Whole(model) if model else absent


def _judge(
    course: Course[Any],
    known: Known[ForecastData],
    champion: Champion,
    contest: Contest,
    engine: Engine,
) -> tuple[Judged, Evaluation]:
    assert isinstance(course, ForecastCourse)
    template: Any = _AsItIs(name=champion.name, models=champion.model.models)
    alone = replace(
        course,
        candidate=Contender(label=champion.name, template=template, hyperparameters=None),
        baselines=(),
        fallback=None,
    )
    series = list(contest.judged.keys[0].categories)
    _, theirs = run_contest(
        alone, known.training, known.dataset.fingerprint, engine, lambda _: None, keep=series
    )
    return theirs.judged, theirs.evaluations[0]


STEPS = TaskSteps(know=_know, inputs=inputs_of, make=_make, judge=_judge)
