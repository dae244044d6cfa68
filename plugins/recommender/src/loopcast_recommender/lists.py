"""From scores to lists: the best items that may be shown, in blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Ranking, RankQuery
from loopcast_recommender.interactions import cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 4_000_000
"""Scores that are in memory at once: 16 MB."""


def rank(query: RankQuery, score: Callable[[slice], NDArray[np.float32]]) -> Ranking:
    """Rank the items for the entities of a query.

    Parameters
    ----------
    score
        Returns the score of each item for some rows of the query, shape (rows, items), in an
        array of its own.
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
        scores = _masked(score(part), query, part)
        place, value = best(scores, length)
        nothing = np.isneginf(value)
        found.items[part, :length] = np.where(nothing, -1, place)
        found.scores[part, :length] = np.where(nothing, np.nan, value)
    return found


def _masked(scores: NDArray[np.float32], query: RankQuery, part: slice) -> NDArray[np.float32]:
    """Put −∞ where an item may not be shown."""
    if not query.allowed.all():
        scores[:, ~query.allowed] = -np.inf
    if query.excluded is not None:
        scores[cells(query.excluded[part])] = -np.inf
    return scores


def best(scores: NDArray[np.float32], length: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the places and values of the largest scores of each row, the first of equal ones.

    Returns
    -------
    places, values : ndarray, shape (rows, length)
    """
    rows, items = scores.shape
    if 0 < length < items:
        among = _largest(scores, length)
    else:
        among = np.tile(np.arange(min(length, items)), (rows, 1))
    values = np.take_along_axis(scores, among, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(among, order, axis=1), np.take_along_axis(values, order, axis=1)


def _largest(scores: NDArray[np.float32], length: int) -> NDArray[np.intp]:
    """Return the places of the largest scores of each row in their order, the first of equal ones.

    Values are parted, not places, which is several times as fast.
    """
    least = -np.partition(-scores, length - 1, axis=1)[:, length - 1, None]
    kept = scores >= least
    if np.count_nonzero(kept) > len(scores) * length:
        higher = scores > least
        equal = kept & ~higher
        room = length - np.count_nonzero(higher, axis=1)[:, None]
        kept = higher | (equal & (np.cumsum(equal, axis=1) <= room))
    cells = np.flatnonzero(kept).reshape(len(scores), length)
    return np.asarray(cells % scores.shape[1])
