"""Places of ranked lists as arrays of codes, until names are looked up for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from loopcast.develop.columns import text_array

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api import Ranking


@dataclass(frozen=True, eq=False, kw_only=True)
class Places:
    """Filled places by entity and place, and one of place 0 for each entity without an answer.

    Attributes
    ----------
    names : LargeStringArray
        Behind the codes of items.
    row, place, item, score : ndarray, shape (places,)
        Row of the entity, in order, place from 1, code of the item (−1 for none) and its score.
    more
        Further columns: under rules which of them put an item there, and its place without rules.
    """

    names: pa.Array
    row: NDArray[np.intp]
    place: NDArray[np.int16]
    item: NDArray[np.int32]
    score: NDArray[np.float32]
    more: Mapping[str, pa.Array] = field(default_factory=dict)

    def items(self) -> pa.DictionaryArray:
        """Return the item of each place, coded, and missing where there is none."""
        none = self.item < 0
        return coded(self.names, pa.array(self.item, mask=none if none.any() else None))

    def take(self, which: NDArray[np.intp]) -> Places:
        """Return some of the places, in the order in which they are named."""
        return replace(
            self,
            row=self.row[which],
            place=self.place[which],
            item=self.item[which],
            score=self.score[which],
            more={name: column.take(pa.array(which)) for name, column in self.more.items()},
        )

    def untouched(self) -> Places:
        """Return places with the columns that they have under rules, of which none did anything."""
        rule = pa.nulls(len(self.row), pa.large_string())
        return replace(self, more={"rule": rule, "place_without_rules": pa.array(self.place)})


def coded(names: pa.Array, codes: pa.Array) -> pa.DictionaryArray:
    """Return names by their codes, of a dictionary that holds each name once and none missing."""
    known = names.dictionary_encode()
    return pa.DictionaryArray.from_arrays(known.indices.take(codes), known.dictionary)


def filled(found: Ranking, names: pa.Array, rows: NDArray[np.intp]) -> Places:
    """Return the places of lists that rankers make.

    Parameters
    ----------
    names : LargeStringArray
        Of the items.
    rows : ndarray, shape (lists,)
        Whose lists they are.
    """
    length = found.items.shape[1]
    item, score = found.items.ravel(), found.scores.ravel()
    row, place = rows.repeat(length), np.tile(np.arange(1, length + 1, dtype=np.int16), len(rows))
    whole = Places(names=names, row=row, place=place, item=item, score=score)
    there = item >= 0
    return whole if there.all() else whole.take(np.flatnonzero(there))


def under_rules(lists: pd.DataFrame, rows: NDArray[np.intp]) -> Places:
    """Return the places of lists that rules have changed.

    Parameters
    ----------
    lists
        As :func:`loopcast.serve.under_rules.places_under_rules` returns them.
    rows : ndarray, shape (lists,)
        Whose lists they are.
    """
    return Places(
        names=text_array(lists["item"].array),
        row=rows[lists["row"]],
        place=lists["place"].to_numpy(np.int16),
        item=np.arange(len(lists), dtype=np.int32),
        score=lists["score"].to_numpy(np.float32),
        more={
            "rule": text_array(lists["rule"].array),
            "place_without_rules": pa.array(lists["place_without_rules"].to_numpy(np.int16)),
        },
    )


def unanswered(rows: NDArray[np.intp]) -> Places:
    """Return a place 0 for each of some entities."""
    count = len(rows)
    return Places(
        names=pa.array([], pa.large_string()),
        row=rows,
        place=np.zeros(count, np.int16),
        item=np.full(count, -1, np.int32),
        score=np.full(count, np.nan, np.float32),
    )


def stacked(parts: Sequence[Places]) -> Places:
    """Put places of different entities together, in the order of the parts."""
    starts = np.cumsum([0, *(len(part.names) for part in parts[:-1])], dtype=np.int32)
    items = [
        np.where(part.item < 0, -1, part.item + start)
        for part, start in zip(parts, starts, strict=True)
    ]
    return Places(
        names=pa.concat_arrays([part.names for part in parts]),
        row=np.concatenate([part.row for part in parts]),
        place=np.concatenate([part.place for part in parts]),
        item=np.concatenate(items),
        score=np.concatenate([part.score for part in parts]),
        more={n: pa.concat_arrays([part.more[n] for part in parts]) for n in parts[0].more},
    )


def joined(parts: Sequence[Places]) -> Places:
    """Put the places of several models together, in the order of entities and places."""
    if len(parts) == 1:
        return parts[0]
    whole = stacked(parts)
    return whole.take(np.lexsort((whole.place, whole.row)))
