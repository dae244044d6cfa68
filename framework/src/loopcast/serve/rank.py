"""Batch rankings: a list for every entity of a table, by the version that answers for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

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
from loopcast.serve import places
from loopcast.serve.answers import Answers
from loopcast.serve.lists import Lists, lines
from loopcast.serve.lookup import NEWCOMER
from loopcast.serve.places import Places
from loopcast.serve.treatment import Said, about_said
from loopcast.serve.under_rules import (
    NO_EFFECTS,
    about_rules,
    places_under_rules,
    ruled_actions,
    subject,
)
from loopcast.settings import RankTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    found, effects = _places(responsible, data, asked, known_to, question.rules)
    lists = _lists(found, data, asked, effects)
    ruled = effects[effects["row"] < count] if len(effects) else effects
    return Answers(
        table=_table(found, lists, asked, schema),
        lists=lists,
        key=lists.entity[:count],
        version=version[:count],
        action=lists.action[:count],
        outputs={"items": lists.items[:count], "score": lists.best[:count]},
        ruled=ruled.drop(columns="row").rename(
            columns={"entity": schema.entity, "item": schema.item}
        )
        if len(ruled)
        else None,
        about={**about_said(asked.said, asked.code[:count]), **about_rules(ruled)},
    )


def _refuse_separators(items: pd.Index, source: str) -> None:
    """Refuse names that could not be told apart in a list that is one text.

    Raises
    ------
    DataError
        Naming the first of them.
    """
    names = text_array(items.array)
    bad = pc.or_(*(pc.match_substring(names, mark) for mark in "\n\x1e")).to_numpy(False)
    if bad.any():
        raise DataError(
            f"{source}: item {items[int(np.argmax(bad))]!r} has a line break or a record separator "
            "in its name; name items without"
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
        entity=_codes(names.entities, data.entities),
        item=_codes(names.items, data.items),
    )


def _codes(names: pd.Index, wanted: pd.Index) -> NDArray[np.intp]:
    found = pc.index_in(text_array(wanted.array), text_array(names.array))
    return np.asarray(found.fill_null(-1).to_numpy(), np.intp)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Asked:
    """What is done for each entity, shape (entities,): by which version, and who answers.

    Attributes
    ----------
    said
        What may be done, and why.
    code
        Which of it is done.
    """

    version: NDArray[np.str_]
    own: NDArray[np.bool_]
    handed_on: NDArray[np.bool_]
    said: Sequence[Said]
    code: NDArray[np.intp]

    @property
    def action(self) -> pa.Array:
        """What is done for each entity, before rules."""
        actions = [said.action for said in self.said]
        return pa.array(actions, pa.large_string()).take(pa.array(self.code))

    @property
    def reason(self) -> pa.Array:
        """Why; missing where the version answers as ever."""
        reasons = [said.reason for said in self.said]
        return pa.array(reasons, pa.large_string()).take(pa.array(self.code))


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
    code, said = np.zeros(len(version), dtype=np.intp), list[Said]()
    for name, known in known_to.items():
        rows = np.flatnonzero(version == name)
        treated = responsible.treat(
            name,
            {column: values[rows] for column, values in columns.items()},
            rules,
            [(never, known.entity[rows] < 0)],
        )
        own[rows], handed_on[rows] = treated.own, treated.handed_on
        code[rows] = len(said) + treated.code
        said += treated.said
    return _Asked(version=version, own=own, handed_on=handed_on, said=said, code=code)


def _places(
    responsible: Responsible,
    data: RankData,
    asked: _Asked,
    known_to: Mapping[str, _KnownTo],
    book: RuleBook | None,
) -> tuple[Places, pd.DataFrame]:
    """Return the places of all lists, and what rules did to them.

    Of the effects: row of the entity, entity, item, place without rules, rule and effect.
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
    nobody = _unanswered(responsible, asked)
    if len(nobody) or not parts:
        none = places.unanswered(nobody)
        parts.append(none if book is None else none.untouched())
    ruled = [done for done in effects if len(done)]
    if not ruled:
        return places.joined(parts), NO_EFFECTS
    ruled_table = pd.concat(ruled, ignore_index=True)
    ruled_table.insert(0, "entity", data.entities[ruled_table["row"].to_numpy(np.intp)])
    return places.joined(parts), ruled_table


def _part(
    ask: Callable[[RankQuery], Ranking],
    data: RankData,
    known: _KnownTo,
    wanted: NDArray[np.intp],
    book: RuleBook | None,
) -> tuple[Places, pd.DataFrame]:
    """Return the lists of some entities by one model, and what rules did to them."""
    query = _query(data, known, wanted)
    if book is None or book.table.empty:
        free = places.filled(ask(query), known.names.items, wanted)
        return (free if book is None else free.untouched()), NO_EFFECTS
    about = subject(book, data, known.names, wanted)
    lists, effects = places_under_rules(book, query, about, ask)
    return places.under_rules(lists, wanted), effects.assign(row=wanted[effects["row"]])


def _unanswered(responsible: Responsible, asked: _Asked) -> NDArray[np.intp]:
    stands_in = np.isin(asked.version, list(responsible.stand_ins))
    return np.flatnonzero(~(asked.own | (asked.handed_on & stands_in)))


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


def _lists(found: Places, data: RankData, asked: _Asked, effects: pd.DataFrame) -> Lists:
    """Return the list of each entity; ``items`` are the names of all found."""
    count, filled = len(data.entities), found.place > 0
    counts = np.bincount(found.row[filled], minlength=count)
    refused = np.zeros(count, dtype=bool)
    refused[found.row[~filled]] = True
    items = found.items().dictionary_decode()
    return Lists(
        entity=text_array(data.entities.array).cast(pa.large_string()),
        items=lines(items if filled.all() else items.filter(pa.array(filled)), counts, refused),
        counts=counts,
        scores=found.score[filled],
        version=pa.array(asked.version, pa.large_string()),
        action=ruled_actions(asked.action, found.row, effects),
        reason=asked.reason,
    )


def _table(found: Places, lists: Lists, asked: _Asked, schema: RankSchema) -> pa.Table:
    """Return all lists but the newcomer's for people and systems: whose, and what was done.

    Texts are told by codes, until they are written: a place takes a few bytes between processes.
    """
    end = int(np.searchsorted(found.row, len(lists.entity) - 1))
    row = pa.array(found.row[:end])
    return pa.table(
        {
            schema.entity: places.coded(lists.entity, row),
            "place": pa.array(found.place[:end]),
            schema.item: found.items()[:end],
            "score": pa.array(found.score[:end]),
            **{name: column[:end] for name, column in found.more.items()},
            "version": places.coded(lists.version, row),
            "action": places.coded(asked.action, row),
            "reason": places.coded(lists.reason, row),
        }
    )
