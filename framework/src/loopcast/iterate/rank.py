"""The steps of a training for the task *rank*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from loopcast.api import Engine, LogicalModel, LoopcastError, RankData, RankSchema
from loopcast.deploy.rank_bundle import pack
from loopcast.develop.contest import Trial
from loopcast.develop.course import Advance, Course
from loopcast.develop.holdout import Holdout
from loopcast.develop.known import Known
from loopcast.develop.rank.inputs import inputs_of
from loopcast.develop.rank.prepare import dataset_record, prepare_rank
from loopcast.develop.rank.trial import answer, lay_out, split_interactions
from loopcast.iterate.contest import make_family
from loopcast.iterate.tasks import Made, TaskSteps
from loopcast.settings import RankTable

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.settings import DataSettings

TRIAL = Trial(split=split_interactions, answer=answer, lay_out=lay_out)


def _know(
    table: pd.DataFrame, settings: DataSettings, model: LogicalModel, source: str, day: str | None
) -> Known[RankData]:
    assert isinstance(model.schema, RankSchema)
    assert isinstance(settings.table, RankTable)
    prepared = prepare_rank(table, settings.table, model.schema, source)
    record = dataset_record(settings.name, prepared, source)
    return Known(data=prepared.data, training=prepared.data, dataset=record)


def _make(
    course: Course[Holdout],
    family: Mapping[str, Known[RankData]],
    engine: Engine,
    advance: Advance,
) -> Iterator[tuple[str, Made | LoopcastError]]:
    return make_family(course, family, engine, advance, trial=TRIAL, pack=pack)


STEPS = TaskSteps(know=_know, inputs=inputs_of, make=_make)
