"""Batch rankings: a list for every entity of a table, by the version that answers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import RankData, Ranking, RankQuery, RankSchema, last_places
from loopcast.deploy.rank_bundle import Names, read_names
from loopcast.develop.rank.prepare import prepare_rank
from loopcast.develop.rank.query import ranked
from loopcast.serve.answers import Answers
from loopcast.settings import RankTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.serve.answers import Question, Responsible


def answer(question: Question, responsible: Responsible) -> Answers:
    """Rank for the entities of one segment, by what they have chosen until now.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    ModelError
        Where a list breaks its rules.
    """
    schema, names = question.course.logical_model.schema, question.settings.table
    assert isinstance(schema, RankSchema)
    assert isinstance(names, RankTable)
    data = prepare_rank(question.table, names, schema, question.source).data
    version = responsible.versions([str(name) for name in data.entities])
    lists = pd.concat([_lists(responsible, v, data, version == v) for v in np.unique(version)])
    lists = lists.sort_values(["entity", "place"], kind="stable", ignore_index=True)
    return Answers(
        table=lists.rename(columns={"entity": schema.entity, "item": schema.item}),
        key=data.entities.to_numpy(),
        version=version,
        outputs=_outputs(lists, data.entities),
    )


def _lists(
    responsible: Responsible, version: str, data: RankData, rows: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return one row for each filled place: entity, place, item, score, version."""
    names = read_names(responsible.files[version])
    wanted = np.flatnonzero(rows)
    query = _query(data, names, wanted)
    found = ranked(responsible.models[version], query, data.schema, version)
    return _table(found, names, data.entities[wanted]).assign(version=version)


def _query(data: RankData, names: Names, wanted: NDArray[np.intp]) -> RankQuery:
    item = names.items.get_indexer(data.items)[data.item]
    place = np.full(len(data.entities), -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    row = place[data.entity]
    known = (item >= 0) & (row >= 0)
    history = last_places(row[known], item[known], (len(wanted), len(names.items)))
    features = data.entity_features
    return RankQuery(
        entities=names.entities.get_indexer(data.entities[wanted]).astype(np.int32),
        length=data.schema.length,
        allowed=np.ones(len(names.items), dtype=bool),
        excluded=None if data.schema.repeat else history,
        history=history,
        entity_features=None if features is None else features.iloc[wanted],
    )


def _table(found: Ranking, names: Names, entities: pd.Index) -> pd.DataFrame:
    row, place = np.nonzero(found.items >= 0)
    return pd.DataFrame(
        {
            "entity": entities[row],
            "place": place.astype(np.int16) + 1,
            "item": names.items[found.items[row, place]],
            "score": found.scores[row, place],
        }
    )


def _outputs(lists: pd.DataFrame, entities: pd.Index) -> dict[str, Any]:
    """Return the list of each entity as text, an item a line, and the score of its first item."""
    counts = np.bincount(entities.get_indexer(pd.Index(lists["entity"])), minlength=len(entities))
    offsets = pa.array(np.append(0, np.cumsum(counts)).astype(np.int32))
    items = pa.ListArray.from_arrays(offsets, pa.array(lists["item"], pa.string()))
    first = np.cumsum(counts) - counts
    best = np.full(len(entities), np.nan)
    best[counts > 0] = lists["score"].to_numpy()[first[counts > 0]]
    return {"items": pc.binary_join(items, "\n"), "score": best}
