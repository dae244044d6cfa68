"""The steps of a training for the task *rank*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import (
    Engine,
    Evaluation,
    Judged,
    LogicalModel,
    RankData,
    Ranking,
    RankOutcome,
    RankQuery,
    RankSchema,
    last_places,
)
from loopcast.deploy.rank_bundle import Names, codes_of, pack
from loopcast.develop.columns import text_array
from loopcast.develop.contest import Trial, by_kpi
from loopcast.develop.course import Advance, Course
from loopcast.develop.holdout import Holdout, Split
from loopcast.develop.known import Known
from loopcast.develop.rank.inputs import inputs_of
from loopcast.develop.rank.prepare import dataset_record, prepare_rank
from loopcast.develop.rank.query import ranked, rows_of
from loopcast.develop.rank.trial import answer, keys, lay_out, split_interactions
from loopcast.iterate.contest import finish_family, judge_family
from loopcast.iterate.tasks import Champion, Contest, Contests, Outcomes, TaskSteps
from loopcast.settings import RankTable

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.settings import DataSettings

TRIAL = Trial(split=split_interactions, answer=answer, lay_out=lay_out, keys=keys)


def _know(
    table: pd.DataFrame,
    settings: DataSettings,
    model: LogicalModel,
    source: str,
    *,
    day: str | None,
    at: datetime | None,
) -> Known[RankData]:
    assert isinstance(model.schema, RankSchema)
    assert isinstance(settings.table, RankTable)
    prepared = prepare_rank(table, settings.table, model.schema, source, now=at)
    record = dataset_record(settings.name, prepared, source)
    return Known(data=prepared.data, training=prepared.data, dataset=record)


def _contest(
    course: Course[Holdout],
    family: Mapping[str, Known[RankData]],
    engine: Engine,
    advance: Advance,
) -> Contests:
    return judge_family(course, family, engine, advance, trial=TRIAL)


def _finish(
    course: Course[Holdout], contests: Mapping[str, Contest], engine: Engine, advance: Advance
) -> Outcomes:
    return finish_family(course, contests, engine, advance, trial=TRIAL, pack=pack)


def _judge(
    course: Course[Holdout],
    known: Known[RankData],
    champion: Champion,
    contest: Contest,
    engine: Engine,
) -> tuple[Judged, Evaluation]:
    split, names = contest.own.split, champion.names
    assert names is not None
    alike = _same(names, split.training)
    ranking = _lists(champion, split) if alike else _lists_by_name(champion, split, names)
    choices = split.judged
    outcome = RankOutcome(
        ranking=ranking,
        chosen_entity=choices.chosen_entity,
        chosen_item=choices.chosen_item,
        popularity=choices.popularity,
    )
    judged = replace(contest.judged, outcomes={champion.name: outcome})
    return judged, by_kpi(course, split, judged, champion.name, known.dataset.fingerprint)


def _same(names: Names, data: RankData) -> bool:
    """Tell whether the codes of data mean what they meant to a champion."""
    pairs = ((names.entities, data.entities), (names.items, data.items))
    return all(known.equals(text_array(index.array)) for known, index in pairs)


def _lists(champion: Champion, split: Split[RankData]) -> Ranking:
    """Ask a champion by the codes of the training part, which are its own."""
    query = replace(split.judged.query, history=split.judged.history)
    return ranked(champion.model, query, split.training.schema, champion.name)


def _lists_by_name(champion: Champion, split: Split[RankData], names: Names) -> Ranking:
    """Ask a champion by codes of its own, and return its lists in those of the training part."""
    query, items = _asked(split, names)
    found = ranked(champion.model, query, split.training.schema, champion.name)
    listed = np.where(found.items >= 0, items[found.items], -1).astype(np.int32)
    return replace(found, items=listed)


def _asked(split: Split[RankData], names: Names) -> tuple[RankQuery, NDArray[np.intp]]:
    """Put the judged question in the codes of a model that was trained before.

    Returns
    -------
    query
        With what entities chose in the training part; items that are no more are not allowed.
    items : ndarray, shape (items of the model,)
        The code in the training part of each item of the model, -1 where it has none.
    """
    training, choices = split.training, split.judged
    entities = choices.query.entities
    who = codes_of(names.entities, choices.entities)
    theirs = codes_of(names.items, training.items)
    row = rows_of(entities, len(training.entities))[training.entity]
    item = theirs[training.item]
    seen = (row >= 0) & (item >= 0)
    history = last_places(row[seen], item[seen], (len(entities), len(names.items)))
    items = np.full(len(names.items), -1, dtype=np.intp)
    items[theirs[theirs >= 0]] = np.flatnonzero(theirs >= 0)
    query = RankQuery(
        entities=who.astype(np.int32),
        length=training.schema.length,
        allowed=items >= 0,
        excluded=None if training.schema.repeat else history,
        history=history,
        entity_features=choices.features,
    )
    return query, items


def _asked_of(known: Known[RankData]) -> RankData:
    return known.data


STEPS = TaskSteps(
    know=_know, asked=_asked_of, inputs=inputs_of, contest=_contest, finish=_finish, judge=_judge
)
