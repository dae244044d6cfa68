"""From scores to lists: the best items that may be shown, in blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Ranking, RankQuery
from loopcast_recommender.interactions import block_of, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

Lists = tuple["NDArray[np.integer[Any]]", "NDArray[np.float32]"]
"""Items and scores of some entities, shapes (rows, length), −1 and NaN where there are none."""

_CELLS = 4_000_000
"""Scores that are in memory at once: 16 MB."""

_NEAR = 64_000
"""Scores that stay in the cache while they are put in order."""

_SHORT = 256
"""Scores of a row that are put in order as fast as they are parted."""

_PLACE = 0xFFFFFFFF
"""Bits of a key that are a place."""


def rank(query: RankQuery, score: Callable[[RankQuery], NDArray[np.float32]]) -> Ranking:
    """Rank the items for the entities of a query.

    Parameters
    ----------
    score
        Returns the score of each item for the entities of a part of the query, shape (entities,
        items), in an array of its own.
    """
    length = min(query.length, len(query.allowed))

    def lists(asked: RankQuery) -> Lists:
        place, value = best(_masked(score(asked), asked), length)
        nothing = value == -np.inf
        place[nothing], value[nothing] = -1, np.nan
        return place, value

    return _in_parts(query, lists)


def rank_alike(query: RankQuery, scores: NDArray[np.float32]) -> Ranking:
    """Rank by scores that are the same for all entities, as :func:`rank` does.

    The items are put in order once. No list goes further than as many of them as it is long and as
    are excluded from it.

    Parameters
    ----------
    scores : ndarray, shape (items,)
        None of them infinite.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[query.allowed[order]]

    def lists(asked: RankQuery) -> Lists:
        sizes = 0 if asked.excluded is None else np.diff(asked.excluded.indptr)
        head = order[: asked.length + np.max(sizes, initial=0)]
        place = _shown(asked, head)[:, : asked.length]
        code, value = np.append(head, -1), np.append(scores[head], np.float32(np.nan))
        return code.take(place), value.take(place)

    return _in_parts(query, lists)


def _shown(query: RankQuery, head: NDArray[np.intp]) -> NDArray[np.int32]:
    """Return the places of items that are shown to each entity, and their number for all others."""
    places = np.arange(len(head), dtype=np.int32)
    shown = np.tile(places, (len(query.entities), 1))
    if query.excluded is not None:
        place = np.full(len(query.allowed), -1, dtype=np.int32)
        place[head] = places
        row, item = cells(query.excluded)
        at = place.take(item)
        within = np.flatnonzero(at >= 0)  # a mask would have the processor guess at each choice
        shown.reshape(-1)[row.take(within) * len(head) + at.take(within)] = len(head)
        shown.sort(axis=1)
    return shown


def _in_parts(query: RankQuery, lists: Callable[[RankQuery], Lists]) -> Ranking:
    """Make lists for as many entities at once as fit into memory with scores of all items."""
    count, items = len(query.entities), len(query.allowed)
    found = Ranking(
        items=np.full((count, query.length), -1, dtype=np.int32),
        scores=np.full((count, query.length), np.nan, dtype=np.float32),
    )
    rows = max(1, _CELLS // max(items, 1))
    for start in range(0, count, rows):
        part = slice(start, min(start + rows, count))
        place, value = lists(_part(query, part))
        found.items[part, : place.shape[1]] = place
        found.scores[part, : place.shape[1]] = value
    return found


def _part(query: RankQuery, rows: slice) -> RankQuery:
    """Return some rows of a query, which follow each other."""
    if rows == slice(0, len(query.entities)):
        return query
    features = query.entity_features
    return replace(
        query,
        entities=query.entities[rows],
        excluded=None if query.excluded is None else block_of(query.excluded, rows),
        history=None if query.history is None else block_of(query.history, rows),
        entity_features=None if features is None else features.iloc[rows],
    )


def _masked(scores: NDArray[np.float32], query: RankQuery) -> NDArray[np.float32]:
    """Put −∞ where an item may not be shown."""
    if not query.allowed.all():
        scores[:, ~query.allowed] = -np.inf
    if query.excluded is not None:
        row, item = cells(query.excluded)
        return without(scores, row * scores.shape[1] + item)
    return scores


def without(scores: NDArray[np.float32], cell: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return scores with −∞ at some cells, as row · items + item; it may change them.

    Numpy assigns to places of a flat array several times as fast as ``put`` does.
    """
    flat = scores.ravel()
    flat[cell] = -np.inf
    return flat.reshape(scores.shape)


def best(scores: NDArray[np.float32], length: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the places and values of the largest scores of each row, the first of equal ones.

    Returns
    -------
    places, values : ndarray, shape (rows, length)
    """
    rows, items = scores.shape
    length = min(length, items)
    places = np.empty((rows, length), dtype=np.int64)
    step = max(1, _NEAR // max(items, 1))
    for start in range(0, rows, step) if length else ():
        keys = _keys(scores[start : start + step])
        if items > _SHORT:
            keys.partition(items - length, axis=1)
            keys = keys[:, items - length :]
        keys.sort(axis=1)
        places[start : start + step] = items - 1 - (keys[:, : -length - 1 : -1] & _PLACE)
    return places, scores.take(places + np.arange(rows)[:, None] * items)


def _keys(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return integers in the order of scores, the first of equal ones the largest.

    To part numbers is several times as fast as to part their places, and these hold both: the bits
    of a score, which are in its order once those of negative ones are turned, and below them its
    place, counted from the end.
    """
    bits = (scores + np.float32(0.0)).view(np.int32)  # −0 and 0 are equal
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    keys <<= 32
    keys |= np.arange(scores.shape[1] - 1, -1, -1)
    return keys
