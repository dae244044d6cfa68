"""The steps of a training for the task *score*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from loopcast.api import (
    DataError,
    Engine,
    Evaluation,
    Judged,
    LogicalModel,
    LoopcastError,
    ScoreData,
    ScoreSchema,
)
from loopcast.deploy.loaded import schema_of
from loopcast.deploy.score_bundle import pack
from loopcast.develop.contest import Trial, by_kpi
from loopcast.develop.course import Advance, Course
from loopcast.develop.holdout import Holdout
from loopcast.develop.known import Known
from loopcast.develop.score.finishing import finish
from loopcast.develop.score.inputs import inputs_of
from loopcast.develop.score.prepare import dataset_record, prepare_score, unlabelled
from loopcast.develop.score.trial import answer, lay_out, split_rows
from loopcast.iterate.contest import finish_family, judge_family
from loopcast.iterate.tasks import Champion, Contest, Contests, Outcomes, TaskSteps
from loopcast.settings import ScoreTable

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from loopcast.settings import DataSettings

TRIAL = Trial(split=split_rows, answer=answer, lay_out=lay_out, finish=finish)


def _know(
    table: pd.DataFrame,
    settings: DataSettings,
    model: LogicalModel,
    source: str,
    *,
    day: str | None,
    at: datetime | None,
) -> Known[ScoreData]:
    assert isinstance(model.schema, ScoreSchema)
    assert isinstance(settings.table, ScoreTable)
    data = prepare_score(table, settings.table, model.schema, source)
    return Known(data=data, training=data, dataset=dataset_record(settings.name, data, source))


def _contest(
    course: Course[Holdout],
    family: Mapping[str, Known[ScoreData]],
    engine: Engine,
    advance: Advance,
) -> Contests:
    through: dict[str, Known[ScoreData]] = {}
    for segment, known in family.items():
        try:
            through[segment] = _through(course, known)
        except LoopcastError as error:
            yield segment, error
    yield from judge_family(course, through, engine, advance, trial=TRIAL)


def _finish(
    course: Course[Holdout], contests: Mapping[str, Contest], engine: Engine, advance: Advance
) -> Outcomes:
    return finish_family(course, contests, engine, advance, trial=TRIAL, pack=pack)


def _through(course: Course[Holdout], known: Known[ScoreData]) -> Known[ScoreData]:
    """Return what is known of cases that an earlier logical model lets through."""
    if course.region is None:
        return known
    return replace(known, training=course.region.outside(known.training))


def _judge(
    course: Course[Holdout],
    known: Known[ScoreData],
    champion: Champion,
    contest: Contest,
    engine: Engine,
) -> tuple[Judged, Evaluation]:
    split = split_rows(
        _through(course, known).training, course.plan.after(known.since), course.seed
    )
    schema = schema_of(champion.files)
    assert isinstance(schema, ScoreSchema)
    names = [name for name, feature in schema.features.items() if feature.used]
    absent = [name for name in names if name not in split.judged.features]
    if absent:
        raise DataError(f"it needs the input {absent[0]!r}, which the data has no more")
    rows = replace(split.judged, features=split.judged.features[names])
    outcome = answer(champion.model, replace(split, judged=rows), champion.name)
    judged = lay_out(split, {champion.name: outcome})
    return judged, by_kpi(course, split, judged, champion.name, known.dataset.fingerprint)


def _asked_of(known: Known[ScoreData]) -> ScoreData:
    return unlabelled(known.data)


STEPS = TaskSteps(
    know=_know, asked=_asked_of, inputs=inputs_of, contest=_contest, finish=_finish, judge=_judge
)
