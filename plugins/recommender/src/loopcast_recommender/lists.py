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

_CELLS = 4_000_000
"""Scores that are in memory at once: 16 MB."""

_NEAR = 64_000
"""Scores that stay in the cache while they are put in order."""

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
    count, items = len(query.entities), len(query.allowed)
    length = min(query.length, items)
    found = Ranking(
        items=np.full((count, query.length), -1, dtype=np.int32),
        scores=np.full((count, query.length), np.nan, dtype=np.float32),
    )
    rows = max(1, _CELLS // max(items, 1))
    for start in range(0, count, rows):
        part = slice(start, min(start + rows, count))
        asked = _part(query, part)
        place, value = best(_masked(score(asked), asked), length)
        nothing = np.isneginf(value)
        found.items[part, :length] = np.where(nothing, -1, place)
        found.scores[part, :length] = np.where(nothing, np.nan, value)
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
        scores[cells(query.excluded)] = -np.inf
    return scores


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
        keys.partition(items - length, axis=1)
        top = np.sort(keys[:, items - length :], axis=1)[:, ::-1]
        places[start : start + step] = items - 1 - (top & _PLACE)
    return places, np.take_along_axis(scores, places, axis=1)


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
