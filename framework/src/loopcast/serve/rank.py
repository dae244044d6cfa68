"""Batch rankings: a list for every entity of a table, by the version that answers for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.api import RankData, RankQuery, RankSchema, last_places
from loopcast.deploy.rank_bundle import Names, codes_of
from loopcast.develop.beyond import Reason
from loopcast.develop.columns import text_array
from loopcast.develop.moments import in_utc
from loopcast.develop.rank.inputs import columns_about
from loopcast.develop.rank.prepare import prepare_rank
from loopcast.develop.rank.query import ranked
from loopcast.serve import places
from loopcast.serve.listed import ListAnswers, Listed
from loopcast.serve.lookup import NEWCOMER
from loopcast.serve.places import Places
from loopcast.serve.treatment import Said, about_said
from loopcast.serve.under_rules import (
    NO_EFFECTS,
    about_rules,
    places_under_rules,
    subject,
)
from loopcast.settings import RankTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Ranker, VersionId
    from loopcast.serve.answers import Posed, Question, Responsible
    from loopcast.serve.rules import RuleBook


def prepare(question: Question) -> RankData:
    """Return what entities have chosen until now.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    """
    schema, names = question.course.logical_model.schema, question.settings.table
    assert isinstance(schema, RankSchema)
    assert isinstance(names, RankTable)
    prepared = prepare_rank(question.table, names, schema, question.source, now=question.made)
    return prepared.data


def decide(posed: Posed) -> _Decided:
    """Decide on every entity of one segment: who answers for it, and what is done.

    Raises
    ------
    DataError
        Where a rule cannot be used.
    """
    question, responsible, data = posed.question, posed.responsible, posed.data
    if question.rules is not None:
        question.rules.check(data.schema)
    asking = _asking(data, question.made)
    known_to = [_known_to(responsible, version, data) for version in responsible.serving.candidates]
    asked = _asked(responsible, _version(responsible, data), asking, known_to, question)
    return _Decided(posed=posed, asking=asking, known_to=known_to, asked=asked)


def call(decided: _Decided) -> _Called:
    """Write down what each model is asked that answers for someone."""
    return _Called(decided=decided, calls=list(_calls(decided)))


def fill(called: _Called) -> ListAnswers:
    """Ask the models for their lists, and put them together.

    Raises
    ------
    ModelError
        Where a list breaks its rules.
    """
    asking, asked = called.decided.asking, called.decided.asked
    schema, count = asking.data.schema, len(asking.data.entities)
    found, effects = _places(called)
    ruled = effects[effects["row"] < count] if len(effects) else effects
    return ListAnswers(
        listed=Listed(
            sizes=(count + 1,),
            entity=asking.names,
            versions=tuple(known.version for known in called.decided.known_to),
            version=asked.version,
            said=tuple(asked.said),
            code=asked.code,
            found=found,
            effects=effects,
        ),
        ruled=ruled.drop(columns="row").rename(
            columns={"entity": schema.entity, "item": schema.item}
        )
        if len(ruled)
        else None,
        about={**about_said(asked.said, asked.code[:count]), **about_rules(ruled)},
    )


STEPS = (decide, call, fill)
"""Each is given what the one before it returns; the last one returns the answers."""


def _version(responsible: Responsible, data: RankData) -> NDArray[np.intp]:
    """Return which candidate answers for each entity; the champion does for the newcomer."""
    serving = responsible.serving
    return np.append(serving.arms(data.entities), serving.candidates.index(serving.version()))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Asking:
    """Who asks: the n - 1 entities of the data, and a newcomer, so that it is answered as any.

    Attributes
    ----------
    names : LargeStringArray, shape (n,)
    features : DataFrame, shape (n, features), or None
    made
        For when the lists are.
    """

    data: RankData
    names: pa.Array
    features: pd.DataFrame | None
    made: datetime

    def whole(self) -> RankData:
        """Return the data with the newcomer among its entities."""
        names, features = pd.Index(self.names, dtype="str"), self.features
        known = None if features is None else features.set_axis(names, axis="index")
        return replace(self.data, entities=names, entity_features=known)


def _asking(data: RankData, made: datetime) -> _Asking:
    """Add an entity that has chosen nothing and is like most."""
    names, features = text_array(data.entities.array), data.entity_features
    if features is not None:
        typical = features.mode().iloc[[0]].astype(features.dtypes)
        features = pd.concat([features, typical])
    return _Asking(
        data=data,
        names=pa.concat_arrays([names, pa.array([NEWCOMER], names.type)]),
        features=features,
        made=made,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _KnownTo:
    """What a version knows of those who ask, and of the items.

    Attributes
    ----------
    entity : ndarray, shape (entities,)
        Its code of each entity of the data; −1 where it has none, as for the newcomer at the end.
    item : ndarray, shape (items,)
        Its code of each item of the data; −1 where it has none.
    """

    version: VersionId
    names: Names
    entity: NDArray[np.intp]
    item: NDArray[np.intp]


def _known_to(responsible: Responsible, version: str, data: RankData) -> _KnownTo:
    names = responsible.opened[version].names
    assert names is not None
    return _KnownTo(
        version=version,
        names=names,
        entity=np.append(codes_of(names.entities, data.entities), -1),
        item=codes_of(names.items, data.items),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Asked:
    """What is done for each entity, shape (entities,): by which candidate, and who answers.

    Attributes
    ----------
    said
        What may be done, and why.
    code
        Which of it is done.
    """

    version: NDArray[np.intp]
    own: NDArray[np.bool_]
    handed_on: NDArray[np.bool_]
    said: Sequence[Said]
    code: NDArray[np.intp]


def _asked(
    responsible: Responsible,
    version: NDArray[np.intp],
    asking: _Asking,
    known_to: Sequence[_KnownTo],
    question: Question,
) -> _Asked:
    """Decide on every entity by the domain of the version that answers for it."""
    chosen = np.bincount(asking.data.entity, minlength=len(version))
    columns = columns_about(chosen, asking.features)
    rules = question.course.logical_model.applicability
    never = Reason(text=f"{asking.data.schema.entity} never seen in training", outside=True)
    own, handed_on = np.zeros((2, len(version)), dtype=bool)
    code, said = np.zeros(len(version), dtype=np.intp), list[Said]()
    for place, known in enumerate(known_to):
        rows = np.flatnonzero(version == place)
        treated = responsible.treat(
            known.version,
            {column: values[rows] for column, values in columns.items()},
            rules,
            [(never, known.entity[rows] < 0)],
        )
        own[rows], handed_on[rows] = treated.own, treated.handed_on
        code[rows] = len(said) + treated.code
        said += treated.said
    return _Asked(version=version, own=own, handed_on=handed_on, said=said, code=code)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Decided:
    """A segment whose entities have been decided on."""

    posed: Posed
    asking: _Asking
    known_to: Sequence[_KnownTo]
    asked: _Asked


@dataclass(frozen=True, eq=False, kw_only=True)
class _Call:
    """What a model is asked.

    Attributes
    ----------
    known
        To its version, or to that which it stands in for.
    wanted
        Rows of the entities that it is asked for.
    """

    model: Ranker
    known: _KnownTo
    wanted: NDArray[np.intp]
    query: RankQuery


@dataclass(frozen=True, eq=False, kw_only=True)
class _Called:
    """A segment whose models are about to be asked."""

    decided: _Decided
    calls: Sequence[_Call]


def _calls(decided: _Decided) -> Iterator[_Call]:
    responsible, asked = decided.posed.responsible, decided.asked
    for who, models in ((asked.own, responsible.models), (asked.handed_on, responsible.stand_ins)):
        for place, known in enumerate(decided.known_to):
            wanted = np.flatnonzero((asked.version == place) & who)
            if len(wanted) and known.version in models:
                query = _query(decided.asking, known, wanted)
                yield _Call(model=models[known.version], known=known, wanted=wanted, query=query)


def _places(called: _Called) -> tuple[Places, pd.DataFrame]:
    """Return the places of all lists, and what rules did to them.

    Of the effects: row of the entity, entity, item, place without rules, rule and effect.
    """
    asking, book = called.decided.asking, called.decided.posed.question.rules
    parts, effects = [], []
    for own in called.calls:
        part, done = _part(own, asking, book)
        parts.append(part)
        effects.append(done)
    nobody = _unanswered(called.decided)
    if len(nobody) or not parts:
        none = places.unanswered(nobody)
        parts.append(none if book is None else none.untouched())
    ruled = [done for done in effects if len(done)]
    if not ruled:
        return places.joined(parts), NO_EFFECTS
    ruled_table = pd.concat(ruled, ignore_index=True)
    entities = asking.names.take(pa.array(ruled_table["row"]))
    ruled_table.insert(0, "entity", pd.array(entities, dtype="str"))
    return places.joined(parts), ruled_table


def _part(called: _Call, asking: _Asking, book: RuleBook | None) -> tuple[Places, pd.DataFrame]:
    """Return the lists that a model makes, and what rules did to them."""
    names, wanted = called.known.names, called.wanted
    ask = partial(ranked, called.model, schema=asking.data.schema, template=called.known.version)
    if book is None or book.table.empty:
        free = places.filled(ask(called.query), names.items, wanted)
        return (free if book is None else free.untouched()), NO_EFFECTS
    about = subject(book, asking.whole(), names, wanted)
    lists, effects = places_under_rules(book, called.query, about, ask)
    return places.under_rules(lists, wanted), effects.assign(row=wanted[effects["row"]])


def _unanswered(decided: _Decided) -> NDArray[np.intp]:
    asked, stand_ins = decided.asked, decided.posed.responsible.stand_ins
    stands_in = np.array([known.version in stand_ins for known in decided.known_to])
    return np.flatnonzero(~(asked.own | (asked.handed_on & stands_in[asked.version])))


def _query(asking: _Asking, known: _KnownTo, wanted: NDArray[np.intp]) -> RankQuery:
    data, features, items = asking.data, asking.features, len(known.names.items)
    history = _history(data, known, wanted)
    return RankQuery(
        entities=known.entity[wanted].astype(np.int32),
        length=data.schema.length,
        allowed=np.ones(items, dtype=bool),
        excluded=None if data.schema.repeat else history,
        history=history,
        entity_features=None if features is None else features.iloc[wanted],
        moment=in_utc(asking.made),
    )


def _history(data: RankData, known: _KnownTo, wanted: NDArray[np.intp]) -> sparse.csr_array:
    """Return what some who ask have chosen among the items that a version knows, by its codes."""
    items = len(known.names.items)
    shape = (len(wanted), items)
    if len(wanted) == len(known.entity) and np.array_equal(known.item, np.arange(items)):
        return last_places(data.entity, data.item, shape)  # as on most nights
    place = np.full(len(data.entities) + 1, -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    row, item = place[data.entity], known.item[data.item]
    both = (item >= 0) & (row >= 0)
    return last_places(row[both], item[both], shape)
