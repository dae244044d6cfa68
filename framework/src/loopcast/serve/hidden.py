"""Which items rules hide, from everyone or from some entities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.serve.rules import Rule, RuleBook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    Places = NDArray[np.int64]

NO_RULE = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """The lists that rules are about.

    Attributes
    ----------
    entities, items : Index, shapes (n,) and (m,)
        Whom the lists are for, and what they are made of.
    features : DataFrame, indexed like ``items``
        Of the items; missing where nobody knows.
    entity_features : DataFrame, indexed like ``entities``
        The same of the entities.
    row, item : ndarray, shape (choices,)
        What these entities have chosen, by position.
    ago : ndarray, shape (choices,), float64
        How many days before the last choice of all.
    """

    entities: pd.Index
    items: pd.Index
    features: pd.DataFrame
    row: NDArray[np.intp]
    item: NDArray[np.intp]
    ago: NDArray[np.float64]
    entity_features: pd.DataFrame = field(default_factory=pd.DataFrame)

    def rows(self, rule: Rule) -> NDArray[np.bool_]:
        """Return for which entities a rule holds, shape (n,)."""
        return rule.rows(self.entities, self.entity_features)


@dataclass(frozen=True, eq=False, kw_only=True)
class Hidden:
    """The first rule that hides an item, by its position in the table of rules.

    Attributes
    ----------
    everyone : ndarray, shape (m,), int64
        From all entities; -1 where none does.
    cells, rules : ndarray, shape (hidden,), int64
        From some: row times ``m`` plus item, in order, and the rule.
    """

    everyone: Places
    cells: Places
    rules: Places

    def rule(self, row: NDArray[Any], item: NDArray[Any]) -> Places:
        """Return which rule hides items from rows; -1 where none does."""
        wanted = np.asarray(row, np.int64) * len(self.everyone) + item
        place = np.searchsorted(self.cells, wanted)
        place[place == len(self.cells)] = 0
        own = np.full(wanted.shape, NO_RULE, np.int64)
        if len(self.cells):
            own = np.where(self.cells[place] == wanted, self.rules[place], NO_RULE)
        everyone = self.everyone[item]
        return np.where(everyone != NO_RULE, everyone, own)

    def matrix(self, shape: tuple[int, int]) -> sparse.csr_array:
        """Return 1 where an item is hidden from a row, of the first items of all."""
        from loopcast.develop.rank.query import pairs_matrix  # SciPy, for who is asked again only

        row, item = np.divmod(self.cells, len(self.everyone))
        inside = item < shape[1]
        return pairs_matrix(row[inside], item[inside], shape)


def hidden(book: RuleBook, subject: Subject) -> Hidden:
    """Find what rules hide.

    Parameters
    ----------
    book
        Of one segment, checked.
    """
    everyone = np.full(len(subject.items), NO_RULE, np.int64)
    cells, rules = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    _hide_items(book, subject, everyone)
    for position, row, item in _pairs(book, subject):
        cells.append(row.astype(np.int64) * len(everyone) + item)
        rules.append(np.broadcast_to(position, row.shape).astype(np.int64))
    found, first = np.unique(np.concatenate(cells), return_index=True)
    return Hidden(everyone=everyone, cells=found, rules=np.concatenate(rules)[first])


def _hide_items(book: RuleBook, subject: Subject, everyone: Places) -> None:
    """Note what is hidden from all entities; of several rules, the first in the table."""
    for_all = book.that("hide")
    for_all = for_all[~book.for_some(for_all)].iloc[::-1]
    named = for_all[for_all["item"].notna()]
    item = subject.items.get_indexer(pd.Index(named["item"]))
    everyone[item[item >= 0]] = named.index.to_numpy()[item >= 0]
    for rule in book.each(for_all[for_all["feature"].notna()]):
        everyone[_of_value(subject, rule)] = rule.position


def _pairs(
    book: RuleBook, subject: Subject
) -> Iterator[tuple[Any, NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the rules that hide items from some entities, with the pairs."""
    own = book.that("hide")
    own = own[book.for_some(own)]
    named = own[own["item"].notna() & own["entity"].notna()]
    row = subject.entities.get_indexer(pd.Index(named["entity"]))
    item = subject.items.get_indexer(pd.Index(named["item"]))
    known = (row >= 0) & (item >= 0)
    yield named.index.to_numpy()[known], row[known], item[known]
    for rule in book.each(own.drop(named.index)):
        items = np.flatnonzero(_meant(subject, rule))
        rows = np.flatnonzero(subject.rows(rule))
        yield rule.position, np.repeat(rows, len(items)), np.tile(items, len(rows))
    for rule in book.each(book.that("again")):
        recent = subject.ago <= (np.inf if np.isnan(rule.number) else rule.number)
        recent &= subject.rows(rule)[subject.row]
        yield rule.position, subject.row[recent], subject.item[recent]


def _meant(subject: Subject, rule: Rule) -> NDArray[np.bool_]:
    """Return which items a rule is about."""
    if rule.item is not None:
        return np.asarray(subject.items == rule.item)
    return _of_value(subject, rule)


def _of_value(subject: Subject, rule: Rule) -> NDArray[np.bool_]:
    return np.asarray(subject.features[rule.feature].astype("str") == rule.value)
