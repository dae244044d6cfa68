"""Ranked lists under rules, and what each rule did to them.

What is hidden comes first: no pin brings it back. Pins come next, then limits, which count what is
pinned before what is ranked; the best of what is left fills the free places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import Ranking, RankQuery
from loopcast.serve.hidden import NO_RULE, Hidden, Subject, hidden
from loopcast.serve.rules import Rule, RuleBook

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

POOL = 10
"""How many times as many items as a list has are looked at, where a limit may drop some; a list
of which a limit drops nearly all of them is shorter."""

LIMITS = ("at_most", "at_least")

EFFECTS = ("removed", "displaced", "moved", "pinned")
"""What may become of an item."""

NOTHING = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Ruled:
    """Lists that follow their rules.

    Attributes
    ----------
    items : ndarray, shape (entities, length), int64
        Positions in ``subject.items``, -1 where a place is empty.
    scores : ndarray, shape (entities, length), float32
        NaN of an item that was pinned and has none.
    rules : ndarray, shape (entities, length), int64
        Which rule put the item there, -1 where none did.
    before : ndarray, shape (entities, length), int64
        At which place the item would be without rules, 0 for none.
    effects : DataFrame
        Columns ``row``, ``item`` (positions), ``place`` (without rules; 0 for none), ``rule`` (a
        position), and ``effect``: ``removed``, ``displaced`` by pins, ``moved``, ``pinned``.
    """

    items: Codes
    scores: NDArray[np.float32]
    rules: Codes
    before: Codes
    effects: pd.DataFrame


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cells:
    """Candidates of each list, the best first: those that are pinned, then those that are ranked.

    Attributes
    ----------
    items, dropped : ndarray, shape (entities, candidates), int64
        The rule that dropped a candidate, -1 where it is kept.
    scores : ndarray, shape (entities, candidates), float32
    """

    items: Codes
    scores: NDArray[np.float32]
    dropped: Codes


def rule_lists(
    book: RuleBook, query: RankQuery, subject: Subject, ask: Callable[[RankQuery], Ranking]
) -> Ruled:
    """Rank under rules.

    Parameters
    ----------
    book
        Of one segment, checked.
    query
        Its items are the first ones of ``subject``, whose others are pinned and were never seen.
    ask
        Ranks, and checks what it ranked.
    """
    gone = hidden(book, subject)
    free = ask(query)
    pinned = _pinned(book, query, subject, gone)
    pool = ask(_narrowed(book, query, gone))
    cells = _limited(book, subject, _candidates(pinned, pool, len(subject.items)))
    return _settled(cells, pinned, free, gone, len(subject.items))


def _narrowed(book: RuleBook, query: RankQuery, gone: Hidden) -> RankQuery:
    """Ask for what is not hidden, and for more of it than a list has."""
    known = len(query.allowed)
    excluded = gone.matrix((len(query.entities), known))
    if query.excluded is not None:
        excluded = (excluded + query.excluded).tocsr()
    pins, limits = len(book.that("pin")), len(book.that(*LIMITS))
    wanted = query.length * (POOL if limits else 1) + min(pins, query.length)
    return replace(
        query,
        length=min(wanted, max(known, query.length)),
        allowed=query.allowed & (gone.everyone[:known] == NO_RULE),
        excluded=excluded,
    )


def _pinned(book: RuleBook, query: RankQuery, subject: Subject, gone: Hidden) -> pd.DataFrame:
    """Return what is pinned, columns ``row``, ``place`` (from 0), ``item`` and ``rule``.

    Of several pins at a place, the one of the entity alone has it, then one of those of its kind,
    then the first of the table.
    """
    found = _pins(book, subject)
    kept = gone.rule(found["row"].to_numpy(), found["item"].to_numpy()) == NO_RULE
    kept &= ~_refused(query, subject, found)
    first = ~found[kept].duplicated(["row", "place"])
    pinned: pd.DataFrame = found[kept][first].drop_duplicates(["row", "item"])
    return pinned


def _pins(book: RuleBook, subject: Subject) -> pd.DataFrame:
    """Return pins of one entity each, of entities of a kind, and for all of them, list by list."""
    pins = book.that("pin")
    code = subject.items.get_indexer(pd.Index(pins["item"]))
    found = pd.DataFrame({"place": pins["number"] - 1, "item": code, "rule": pins.index})
    found["row"] = subject.entities.get_indexer(pd.Index(pins["entity"]))
    own, for_all = found[found["row"] >= 0], found[~book.for_some(pins)]
    every = pd.DataFrame({"row": np.arange(len(subject.entities))})
    of_a_kind = [
        found.loc[[rule.position]].drop(columns="row").merge(every[subject.rows(rule)], how="cross")
        for rule in book.each(pins[pins["entity_feature"].notna()])
    ]
    parts = [own, *of_a_kind, for_all.drop(columns="row").merge(every, how="cross")]
    return pd.concat(parts, ignore_index=True).astype(np.int64)


def _refused(query: RankQuery, subject: Subject, pins: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which pins the query does not let in: not allowed, or chosen before."""
    row, item = pins["row"].to_numpy(), pins["item"].to_numpy()
    known, width = item < len(query.allowed), len(subject.items)
    refused = np.zeros(len(pins), dtype=bool)
    refused[known] = ~query.allowed[item[known]]
    if query.excluded is not None:
        refused |= np.isin(row * width + item, subject.row * width + subject.item)
    return refused


def _candidates(pinned: pd.DataFrame, pool: Ranking, width: int) -> _Cells:
    count = len(pool.items)
    order = pinned.sort_values(["row", "place"])
    slot = order.groupby("row").cumcount().to_numpy()
    first = np.full((count, int(slot.max(initial=-1)) + 1), NOTHING, np.int64)
    first[order["row"], slot] = order["item"]
    rest = pool.items.astype(np.int64)
    score = pd.Series(pool.scores.ravel(), _keys(rest, width).ravel())
    known = score[rest.ravel() >= 0].reindex(_keys(first, width).ravel()).to_numpy()
    twice = np.isin(_keys(rest, width), order["row"] * width + order["item"])
    items = np.hstack([first, np.where(twice, NOTHING, rest)])
    scores = np.hstack([known.reshape(first.shape), pool.scores]).astype(np.float32)
    return _Cells(items=items, scores=scores, dropped=np.full(items.shape, NO_RULE, np.int64))


def _keys(items: Codes, width: int) -> Codes:
    """Return one number for each list and item; negative of none."""
    rows = np.arange(len(items), dtype=np.int64)[:, None] * width
    return np.where(items >= 0, rows + items, NOTHING)


def _limited(book: RuleBook, subject: Subject, cells: _Cells) -> _Cells:
    """Drop what is too many of a kind, or not worth it, rule after rule."""
    dropped = cells.dropped.copy()
    for rule in book.each(book.that(*LIMITS)):
        open_ = (cells.items >= 0) & (dropped == NO_RULE)
        open_ &= subject.rows(rule)[:, None]
        drop = _too_many if rule.does == "at_most" else _too_little
        dropped[drop(rule, subject, cells, open_)] = rule.position
    return replace(cells, dropped=dropped)


def _too_many(
    rule: Rule, subject: Subject, cells: _Cells, open_: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    kinds = pd.Categorical(subject.features[rule.feature].astype("str"))
    kind = kinds.codes.astype(np.int64)[cells.items]
    counted = open_ & (kind >= 0)
    if rule.value is not None:
        counted &= (kinds == rule.value)[cells.items]
    row, column = np.nonzero(counted)
    nth = pd.Series(row * (len(kinds.categories) + 1) + kind[counted])
    too_many = np.zeros_like(open_)
    too_many[row, column] = nth.groupby(nth).cumcount().to_numpy() >= rule.number
    return too_many


def _too_little(
    rule: Rule, subject: Subject, cells: _Cells, open_: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return what is expected to bring too little; a pin without a score is nobody's guess."""
    worth = np.ones(len(subject.items))
    if rule.feature is not None:
        worth = subject.features[rule.feature].to_numpy(np.float64)
    return np.asarray(open_ & (cells.scores * worth[cells.items] < rule.number))


def _settled(cells: _Cells, pinned: pd.DataFrame, free: Ranking, gone: Hidden, width: int) -> Ruled:
    """Put what is kept into places, and say what became of what would have been there."""
    kept = np.where(cells.dropped == NO_RULE, cells.items, NOTHING)
    staying = np.isin(pinned["row"] * width + pinned["item"], _keys(kept, width)[kept >= 0])
    pinned = pinned[staying]
    rules = np.full(free.items.shape, NO_RULE, np.int64)
    items = np.full(free.items.shape, NOTHING, np.int64)
    at = (pinned["row"].to_numpy(), pinned["place"].to_numpy())
    items[at], rules[at] = pinned["item"], pinned["rule"]
    others = np.where(np.isin(_keys(kept, width), _keys(items, width)[at]), NOTHING, kept)
    _fill(items, others)
    # A list that is too short has its empty places at the end, wherever something was pinned.
    order = np.argsort(items < 0, axis=1, kind="stable")
    items, rules = (np.take_along_axis(own, order, axis=1) for own in (items, rules))
    theirs = _keys(cells.items, width).ravel()
    score = pd.Series(cells.scores.ravel(), theirs)[theirs >= 0]
    scores = score.reindex(_keys(items, width).ravel()).to_numpy(np.float32).reshape(items.shape)
    before = _places(free.items.astype(np.int64), _keys(items, width), width)
    effects = pd.concat(
        [_left(free, items, cells, gone, rules), _put(items, rules, before)], ignore_index=True
    )
    return Ruled(items=items, scores=scores, rules=rules, before=before, effects=effects)


def _fill(items: Codes, others: Codes) -> None:
    """Put the first of the others into the places that are free."""
    row, column = np.nonzero(others >= 0)
    nth = pd.Series(row).groupby(row).cumcount().to_numpy()
    free = np.argsort(items >= 0, axis=1, kind="stable")
    fits = nth < (items < 0).sum(axis=1)[row]
    row, column, nth = row[fits], column[fits], nth[fits]
    items[row, free[row, nth]] = others[row, column]


def _places(free: Codes, wanted: Codes, width: int) -> Codes:
    """Return at which place of the free lists each wanted item is, 0 for none."""
    keys = _keys(free, width)
    place = np.broadcast_to(np.arange(1, free.shape[1] + 1), free.shape)
    known = pd.Series(place[keys >= 0], keys[keys >= 0])
    return known.reindex(wanted.ravel()).fillna(0).to_numpy(np.int64).reshape(wanted.shape)


def _left(free: Ranking, items: Codes, cells: _Cells, gone: Hidden, pins: Codes) -> pd.DataFrame:
    """Return what would have been in a list and is not: removed, or displaced by pins."""
    width = len(gone.everyone)
    wanted = free.items.astype(np.int64)
    absent = (wanted >= 0) & ~np.isin(_keys(wanted, width), _keys(items, width))
    row, column = np.nonzero(absent)
    item = wanted[absent]
    rule = gone.rule(row, item)
    out = cells.dropped != NO_RULE
    by = pd.Series(cells.dropped[out], _keys(cells.items, width)[out])
    limit = by.reindex(row * width + item).fillna(NO_RULE).to_numpy(np.int64)
    rule = np.where(rule == NO_RULE, limit, rule)
    removed = rule != NO_RULE
    rule = np.where(removed, rule, pins.max(axis=1, initial=NO_RULE)[row])
    found = _effects(row, item, column + 1, rule, np.where(removed, "removed", "displaced"))
    # A model may order what is left otherwise than the whole; that is no rule's doing.
    return found[found["rule"] != NO_RULE]


def _put(items: Codes, rules: Codes, before: Codes) -> pd.DataFrame:
    """Return what pins put into a list, or moved in it."""
    row, column = np.nonzero(rules != NO_RULE)
    place = before[row, column]
    moved = (place > 0) & (place != column + 1)
    return _effects(
        row, items[row, column], place, rules[row, column], np.where(moved, "moved", "pinned")
    )


def _effects(row: Any, item: Any, place: Any, rule: Any, effect: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"row": row, "item": item, "place": place, "rule": rule, "effect": pd.array(effect, "str")}
    )
