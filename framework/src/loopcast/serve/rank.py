"""Batch rankings: a list for every entity of a table, by the version that answers for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError, RankData, Ranking, RankQuery, RankSchema, last_places
from loopcast.deploy.rank_bundle import Names, read_names
from loopcast.develop.beyond import Reason
from loopcast.develop.rank.inputs import entity_columns
from loopcast.develop.rank.prepare import prepare_rank
from loopcast.develop.rank.query import ranked
from loopcast.serve.answers import Answers
from loopcast.serve.lookup import NEWCOMER
from loopcast.serve.treatment import about_treatment
from loopcast.serve.under_rules import (
    NO_EFFECTS,
    NO_RULES,
    about_rules,
    places_under_rules,
    ruled_actions,
    subject,
)
from loopcast.settings import RankTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from loopcast.serve.answers import Question, Responsible
    from loopcast.serve.rules import RuleBook


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
    known = prepare_rank(question.table, names, schema, question.source).data
    _refuse_separators(known.items, question.source)
    data, count = _with_newcomer(known), len(known.entities)
    if question.rules is not None:
        question.rules.check(schema)
    version = responsible.versions(data.entities)
    version[count] = responsible.serving.version()
    treated = pd.concat(
        _treated(responsible, v, data, np.flatnonzero(version == v), question)
        for v in responsible.serving.candidates
    ).sort_index()
    lists, effects = _lists(responsible, data, treated, question.rules)
    ruled = effects[effects["row"] < count]
    table = lists.rename(columns={"entity": schema.entity, "item": schema.item})
    new = lists["row"] == count
    asked = treated.iloc[:count]
    return Answers(
        table=table[~new].drop(columns=["row"]),
        newcomer=table[new].drop(columns=["row"]),
        key=known.entities.to_numpy(),
        version=version[:count],
        action=ruled_actions(asked["action"], lists[~new], ruled),
        outputs=_outputs(lists[~new], count),
        ruled=ruled.drop(columns="row").rename(
            columns={"entity": schema.entity, "item": schema.item}
        ),
        about={**about_treatment(asked), **about_rules(ruled)},
    )


def _refuse_separators(items: pd.Index, source: str) -> None:
    """Refuse names that could not be told apart in a list that is one text.

    Raises
    ------
    DataError
        Naming the first of them.
    """
    bad = items[items.str.contains("[\n\x1e]")]
    if len(bad):
        raise DataError(
            f"{source}: item {bad[0]!r} has a line break or a record separator in its name; "
            "name items without"
        )


def _with_newcomer(data: RankData) -> RankData:
    """Add an entity that has chosen nothing and is like most, so that it is answered as any."""
    entities = data.entities.append(pd.Index([NEWCOMER], dtype="str"))
    features = data.entity_features
    if features is not None:
        typical = features.mode().iloc[[0]].astype(features.dtypes)
        features = pd.concat([features, typical]).set_axis(entities, axis="index")
    return replace(data, entities=entities, entity_features=features)


def _treated(
    responsible: Responsible,
    version: str,
    data: RankData,
    wanted: NDArray[np.intp],
    question: Question,
) -> pd.DataFrame:
    """Return what is done for some entities: version, action, reason, and who answers."""
    known = read_names(responsible.files[version]).entities
    new = known.get_indexer(data.entities[wanted]) < 0
    never = Reason(text=f"{data.schema.entity} never seen in training", outside=True)
    treated = responsible.treat(
        version,
        {name: column[wanted] for name, column in entity_columns(data).items()},
        question.course.logical_model.applicability,
        [(never, new)],
    )
    columns = {"own": treated.own, "handed_on": treated.handed_on, **treated.columns()}
    return pd.DataFrame({"version": version, **columns}, index=wanted)


def _lists(
    responsible: Responsible, data: RankData, treated: pd.DataFrame, book: RuleBook | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the lists, and what rules did to them.

    Of the lists, a row for each filled place, and one of place 0 for an entity without an answer:
    entity, place, item, score, version, action and reason, and the row of the entity; under rules
    also which rule put it there, and its place without rules. Of the effects: row of the entity,
    entity, item, place without rules, rule and effect.
    """
    nobody = _unanswered(responsible, data, treated)
    parts, effects = [nobody if book is None else nobody.assign(**NO_RULES)], [NO_EFFECTS]
    for column, models in (("own", responsible.models), ("handed_on", responsible.stand_ins)):
        for version, model in models.items():
            wanted = treated.index[(treated["version"] == version) & treated[column]].to_numpy()
            if len(wanted):
                names = read_names(responsible.files[version])
                ask = partial(ranked, model, schema=data.schema, template=version)
                own, done = _part(ask, data, names, wanted, book)
                parts.append(own)
                effects.append(done)
    lists = pd.concat(parts).sort_values(["row", "place"], kind="stable", ignore_index=True)
    of_row = treated.loc[lists["row"], ["version", "action", "reason"]].reset_index(drop=True)
    lists.insert(0, "entity", data.entities[lists["row"]])
    ruled = pd.concat(effects, ignore_index=True)
    ruled.insert(0, "entity", data.entities[ruled["row"].to_numpy(np.intp)])
    return pd.concat([lists, of_row], axis=1), ruled


def _part(
    ask: Callable[[RankQuery], Ranking],
    data: RankData,
    names: Names,
    wanted: NDArray[np.intp],
    book: RuleBook | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the lists of some entities by one model, and what rules did to them."""
    query = _query(data, names, wanted)
    if book is None or book.table.empty:
        free = _places(ask(query), names, wanted)
        untouched = {} if book is None else {**NO_RULES, "place_without_rules": free["place"]}
        return free.assign(**untouched), NO_EFFECTS
    about = subject(book, data, names, wanted)
    lists, effects = places_under_rules(book, query, about, ask)
    return lists.assign(row=wanted[lists["row"]]), effects.assign(row=wanted[effects["row"]])


def _unanswered(responsible: Responsible, data: RankData, treated: pd.DataFrame) -> pd.DataFrame:
    answered = treated["own"] | (
        treated["handed_on"] & treated["version"].isin(list(responsible.stand_ins))
    )
    row = treated.index[~answered].to_numpy()
    return pd.DataFrame(
        {
            "row": row,
            "place": np.zeros(len(row), np.int16),
            "item": data.items[:0].take(np.full(len(row), -1), allow_fill=True, fill_value=None),
            "score": np.full(len(row), np.nan, np.float32),
        }
    )


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
        moment=data.time[-1],
    )


def _places(found: Ranking, names: Names, wanted: NDArray[np.intp]) -> pd.DataFrame:
    row, place = np.nonzero(found.items >= 0)
    return pd.DataFrame(
        {
            "row": wanted[row],
            "place": place.astype(np.int16) + 1,
            "item": names.items[found.items[row, place]],
            "score": found.scores[row, place],
        }
    )


def _outputs(lists: pd.DataFrame, entities: int) -> dict[str, Any]:
    """Return the list of each entity as text, an item a line, and the score of its first item.

    Without an answer there is neither.
    """
    filled = lists[lists["place"] > 0]
    counts = np.bincount(filled["row"], minlength=entities)
    offsets = pa.array(np.append(0, np.cumsum(counts)).astype(np.int32))
    items = pa.ListArray.from_arrays(
        offsets, pa.array(filled["item"].to_numpy(object), pa.string())
    )
    first = np.cumsum(counts) - counts
    best = np.full(entities, np.nan)
    best[counts > 0] = filled["score"].to_numpy()[first[counts > 0]]
    refused = np.zeros(entities, dtype=bool)
    refused[lists.loc[lists["place"] == 0, "row"]] = True
    texts = pc.if_else(pa.array(refused), None, pc.binary_join(items, "\n"))
    return {"items": texts, "score": best}
