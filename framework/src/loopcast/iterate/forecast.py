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
from loopcast.develop.forecast import train as forecast
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.covered import Covered
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.develop.forecast.inputs import inputs_of
from loopcast.develop.known import Known
from loopcast.iterate.tasks import Champion, Contest, Contests, Made, Outcomes, TaskSteps
from loopcast.monitor.training import reference_file

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from loopcast.settings import DataSettings


def _know(
    table: pd.DataFrame,
    settings: DataSettings,
    model: LogicalModel,
    source: str,
    *,
    day: str | None,
    at: datetime | None,
) -> KnownForecast:
    assert isinstance(model.schema, ForecastSchema)
    return known_forecast(table, settings, model.schema, source, day)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Contested:
    """The contest of a segment, and what is known of it."""

    known: Known[ForecastData]
    contest: forecast.Contest


def _contest(
    course: Course[Any],
    family: Mapping[str, Known[ForecastData]],
    engine: Engine,
    advance: Advance,
) -> Contests:
    assert isinstance(course, ForecastCourse)
    for segment, known in family.items():
        try:
            yield segment, _judged(replace(course, segment=segment), known, engine, advance)
        except LoopcastError as error:
            yield segment, error


def _judged(
    course: ForecastCourse, known: Known[ForecastData], engine: Engine, advance: Advance
) -> Contest:
    assert isinstance(known, KnownForecast)
    found = forecast.run_contest(
        course,
        known.training,
        known.dataset.fingerprint,
        engine,
        advance,
        filled=known.filled,
    )
    return Contest(
        judged=found.judged,
        evaluations=found.evaluations,
        gates=found.gates,
        own=_Contested(known=known, contest=found),
    )


def _finish(
    course: Course[Any], contests: Mapping[str, Contest], engine: Engine, advance: Advance
) -> Outcomes:
    assert isinstance(course, ForecastCourse)
    for segment, contest in contests.items():
        try:
            yield segment, _made(replace(course, segment=segment), contest, engine, advance)
        except LoopcastError as error:
            yield segment, error


def _made(course: ForecastCourse, contest: Contest, engine: Engine, advance: Advance) -> Made:
    own: _Contested = contest.own
    data = own.known.training
    trained = forecast.train_on_all(course, data, own.contest, engine, advance)
    return Made(
        datasets=(own.known.dataset,),
        files=pack(trained, course, data) | reference_file(data, own.contest.judged, course.seed),
        contest=contest,
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
    assert isinstance(known, KnownForecast)
    template: Any = _AsItIs(name=champion.name, models=champion.model.models)
    alone = replace(
        course,
        candidate=Contender(label=champion.name, template=template, hyperparameters=None),
        baselines=(),
        fallback=None,
    )
    series = list(contest.judged.keys[0].categories)
    _, theirs = forecast.run_backtest(
        alone,
        known.training,
        known.dataset.fingerprint,
        engine,
        lambda _: None,
        filled=known.filled,
        keep=series,
    )
    return theirs.judged, theirs.evaluations[0]


def _asked_of(known: KnownForecast) -> KnownForecast:
    return known


STEPS = TaskSteps(
    know=_know, asked=_asked_of, inputs=inputs_of, contest=_contest, finish=_finish, judge=_judge
)
