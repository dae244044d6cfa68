"""Batch rankings: a list for every entity of a table, by the version that answers for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError, RankData, Ranking, RankQuery, RankSchema, last_places
from loopcast.deploy.rank_bundle import Names, read_names
from loopcast.develop.beyond import Reason
from loopcast.develop.columns import text_array
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
    from collections.abc import Callable, Mapping

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
    known_to = {v: _known_to(responsible, v, data) for v in responsible.serving.candidates}
    asked = _asked(responsible, version, data, known_to, question)
    lists, effects = _lists(responsible, data, asked, known_to, question.rules)
    row = lists["row"].to_numpy()
    table = _table(lists, data, asked)
    end = int(np.searchsorted(row, count))
    ruled = effects[effects["row"] < count] if len(effects) else effects
    seen = pd.DataFrame({"action": asked.action[:count], "reason": asked.reason[:count]})
    return Answers(
        table=table.iloc[:end],
        newcomer=table.iloc[end:],
        key=known.entities.to_numpy(),
        version=version[:count],
        action=ruled_actions(seen["action"], lists[:end], ruled),
        outputs=_outputs(lists.iloc[:end], count),
        ruled=ruled.drop(columns="row").rename(
            columns={"entity": schema.entity, "item": schema.item}
        )
        if len(ruled)
        else None,
        about={**about_treatment(seen), **about_rules(ruled)},
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


@dataclass(frozen=True, eq=False, kw_only=True)
class _KnownTo:
    """What a version knows of those who ask, and of the items.

    Attributes
    ----------
    entity : ndarray, shape (entities,)
        Its code of each entity of the data; −1 where it has none.
    item : ndarray, shape (items,)
        Its code of each item of the data; −1 where it has none.
    """

    names: Names
    entity: NDArray[np.intp]
    item: NDArray[np.intp]


def _known_to(responsible: Responsible, version: str, data: RankData) -> _KnownTo:
    names = read_names(responsible.files[version])
    return _KnownTo(
        names=names,
        entity=names.entities.get_indexer(data.entities),
        item=names.items.get_indexer(data.items),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Asked:
    """What is done for each entity, shape (entities,): by which version, and who answers.

    Attributes
    ----------
    action, reason
        Texts, of type str; no reason where the version answers as ever.
    """

    version: NDArray[np.str_]
    own: NDArray[np.bool_]
    handed_on: NDArray[np.bool_]
    action: Any
    reason: Any


def _asked(
    responsible: Responsible,
    version: NDArray[np.str_],
    data: RankData,
    known_to: Mapping[str, _KnownTo],
    question: Question,
) -> _Asked:
    """Decide on every entity by the domain of the version that answers for it."""
    columns, rules = entity_columns(data), question.course.logical_model.applicability
    never = Reason(text=f"{data.schema.entity} never seen in training", outside=True)
    own, handed_on = np.zeros((2, len(version)), dtype=bool)
    action, reason = np.empty((2, len(version)), dtype=object)
    for name, known in known_to.items():
        rows = np.flatnonzero(version == name)
        treated = responsible.treat(
            name,
            {column: values[rows] for column, values in columns.items()},
            rules,
            [(never, known.entity[rows] < 0)],
        )
        own[rows], handed_on[rows] = treated.own, treated.handed_on
        texts = treated.columns()
        action[rows], reason[rows] = texts["action"], texts["reason"]
    return _Asked(
        version=version,
        own=own,
        handed_on=handed_on,
        action=pd.array(action, dtype="str"),
        reason=pd.array(reason, dtype="str"),
    )


def _lists(
    responsible: Responsible,
    data: RankData,
    asked: _Asked,
    known_to: Mapping[str, _KnownTo],
    book: RuleBook | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the lists by row of the entity and place, and what rules did to them.

    Of the lists, a row for each filled place, and one of place 0 for an entity without an answer:
    row, place, item and score; under rules also which rule put it there, and its place without
    rules. Of the effects: row of the entity, entity, item, place without rules, rule and effect.
    """
    parts, effects = [], []
    for who, models in ((asked.own, responsible.models), (asked.handed_on, responsible.stand_ins)):
        for version, model in models.items():
            wanted = np.flatnonzero((asked.version == version) & who)
            if len(wanted):
                ask = partial(ranked, model, schema=data.schema, template=version)
                own, done = _part(ask, data, known_to[version], wanted, book)
                parts.append(own)
                effects.append(done)
    nobody = _unanswered(responsible, data, asked)
    if len(nobody) or not parts:
        parts.append(nobody if book is None else nobody.assign(**NO_RULES))
    if len(parts) > 1:
        parts = [pd.concat(parts).sort_values(["row", "place"], kind="stable", ignore_index=True)]
    ruled = [done for done in effects if len(done)]
    if not ruled:
        return parts[0], NO_EFFECTS
    ruled_table = pd.concat(ruled, ignore_index=True)
    ruled_table.insert(0, "entity", data.entities[ruled_table["row"].to_numpy(np.intp)])
    return parts[0], ruled_table


def _table(lists: pd.DataFrame, data: RankData, asked: _Asked) -> pd.DataFrame:
    """Return lists for people and systems: whose they are, and what was done."""
    row, schema = lists["row"].to_numpy(), data.schema
    return pd.DataFrame(
        {
            schema.entity: data.entities.array.take(row),
            **{schema.item if n == "item" else n: lists[n] for n in lists.columns if n != "row"},
            "version": pd.array(asked.version, dtype="str").take(row),
            "action": asked.action.take(row),
            "reason": asked.reason.take(row),
        },
        copy=False,
    )


def _part(
    ask: Callable[[RankQuery], Ranking],
    data: RankData,
    known: _KnownTo,
    wanted: NDArray[np.intp],
    book: RuleBook | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the lists of some entities by one model, and what rules did to them."""
    query = _query(data, known, wanted)
    if book is None or book.table.empty:
        free = _places(ask(query), known.names, wanted)
        untouched = {} if book is None else {**NO_RULES, "place_without_rules": free["place"]}
        return free.assign(**untouched) if untouched else free, NO_EFFECTS
    about = subject(book, data, known.names, wanted)
    lists, effects = places_under_rules(book, query, about, ask)
    return lists.assign(row=wanted[lists["row"]]), effects.assign(row=wanted[effects["row"]])


def _unanswered(responsible: Responsible, data: RankData, asked: _Asked) -> pd.DataFrame:
    stands_in = np.isin(asked.version, list(responsible.stand_ins))
    row = np.flatnonzero(~(asked.own | (asked.handed_on & stands_in)))
    return pd.DataFrame(
        {
            "row": row,
            "place": np.zeros(len(row), np.int16),
            "item": data.items[:0].take(np.full(len(row), -1), allow_fill=True, fill_value=None),
            "score": np.full(len(row), np.nan, np.float32),
        }
    )


def _query(data: RankData, known: _KnownTo, wanted: NDArray[np.intp]) -> RankQuery:
    items, item = len(known.names.items), known.item[data.item]
    place = np.full(len(data.entities), -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    row = place[data.entity]
    both = (item >= 0) & (row >= 0)
    history = last_places(row[both], item[both], (len(wanted), items))
    features = data.entity_features
    return RankQuery(
        entities=known.entity[wanted].astype(np.int32),
        length=data.schema.length,
        allowed=np.ones(items, dtype=bool),
        excluded=None if data.schema.repeat else history,
        history=history,
        entity_features=None if features is None else features.iloc[wanted],
        moment=data.time[-1],
    )


def _places(found: Ranking, names: Names, wanted: NDArray[np.intp]) -> pd.DataFrame:
    cell = np.flatnonzero(found.items >= 0)
    row, place = np.divmod(cell, found.items.shape[1])
    return pd.DataFrame(
        {
            "row": wanted[row],
            "place": place.astype(np.int16) + np.int16(1),
            "item": names.items.array.take(found.items.ravel()[cell]),
            "score": found.scores.ravel()[cell],
        },
        copy=False,
    )


def _outputs(lists: pd.DataFrame, entities: int) -> dict[str, Any]:
    """Return the list of each entity as text, an item a line, and the score of its first item.

    Without an answer there is neither.
    """
    row, filled = lists["row"].to_numpy(), (lists["place"] > 0).to_numpy()
    counts = np.bincount(row[filled], minlength=entities)
    offsets = pa.array(np.append(0, np.cumsum(counts)).astype(np.int32))
    items = pa.ListArray.from_arrays(offsets, text_array(lists["item"].array[filled]))
    first = np.cumsum(counts) - counts
    best = np.full(entities, np.nan)
    best[counts > 0] = lists["score"].to_numpy()[filled][first[counts > 0]]
    refused = np.zeros(entities, dtype=bool)
    refused[row[~filled]] = True
    texts = pc.if_else(pa.array(refused), None, pc.binary_join(items, "\n"))
    return {"items": texts, "score": best}
