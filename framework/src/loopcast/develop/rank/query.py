"""Asking a ranker, and holding it to the rules of its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from loopcast.api import ModelError, Ranking, RankQuery, RankSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Ranker

_CELLS = 4_000_000
"""Cells of a matrix that are in memory at once: 16 MB."""


def pairs_matrix(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> sparse.csr_array:
    """Return a matrix that is 1 at each of the pairs, and 0 elsewhere."""
    ones = np.ones(len(rows), dtype=np.float32)
    matrix = sparse.csr_array((ones, (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def ranked(model: Ranker, query: RankQuery, schema: RankSchema, template: str) -> Ranking:
    """Ask a ranker, check its lists, and leave places empty whose score is below the minimum.

    Raises
    ------
    ModelError
        Where a list has the wrong length, an item that does not exist, is not allowed or is
        excluded, an item twice, or a place without a finite score.
    """
    found = model.predict(query)
    items, scores = np.asarray(found.items), np.asarray(found.scores)
    expected = (len(query.entities), query.length)
    items, scores = _padded(items, -1, expected), _padded(scores, np.nan, expected)
    if items.shape != expected or scores.shape != expected:
        raise ModelError(
            f"template {template}: lists have shape {items.shape}, scores {scores.shape}; expected "
            f"{expected} (entities, length)"
        )
    filled = items >= 0
    for problem, bad in _problems(items, scores, filled, query):
        if bad.any():
            row = int(np.argmax(bad.any(axis=1)))
            raise ModelError(
                f"template {template}: {int(bad.sum())} places of its lists hold {problem}, the "
                f"first for entity {int(query.entities[row])}: {items[row].tolist()}"
            )
    if schema.minimum_score is not None:
        filled &= scores >= schema.minimum_score
    return Ranking(
        items=np.where(filled, items, -1).astype(np.int32),
        scores=np.where(filled, scores, np.nan).astype(np.float32),
    )


def _padded(values: NDArray[Any], empty: float, shape: tuple[int, int]) -> NDArray[Any]:
    """Fill lists up that are short because there are fewer items than places."""
    if values.ndim != 2 or values.shape[0] != shape[0] or values.shape[1] >= shape[1]:
        return values
    return np.pad(values, ((0, 0), (0, shape[1] - values.shape[1])), constant_values=empty)


def _problems(
    items: NDArray[Any], scores: NDArray[Any], filled: NDArray[np.bool_], query: RankQuery
) -> list[tuple[str, NDArray[np.bool_]]]:
    count = len(query.allowed)
    outside = (items < -1) | (items >= count)
    inside = np.where(outside | ~filled, 0, items)
    allowed = query.allowed if count else np.ones(1, dtype=bool)
    ordered = np.sort(np.where(filled, items, -np.arange(1, items.shape[1] + 1)), axis=1)
    twice = np.zeros_like(filled)
    twice[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return [
        ("items that do not exist", outside),
        ("items that are not allowed", filled & ~allowed[inside]),
        ("items that are excluded", filled & _excluded(inside, query)),
        ("an item twice", twice),
        ("no finite score", filled & ~np.isfinite(scores)),
    ]


def _excluded(items: NDArray[Any], query: RankQuery) -> NDArray[np.bool_]:
    """Tell which items of each list are excluded, in blocks of rows that fit into memory."""
    found = np.zeros(items.shape, dtype=bool)
    if query.excluded is None or not query.excluded.count_nonzero():
        return found
    step = max(1, _CELLS // len(query.allowed))
    for first in range(0, len(items), step):
        rows = slice(first, first + step)
        excluded = query.excluded[rows].toarray()
        found[rows] = np.take_along_axis(excluded, items[rows], axis=1) != 0
    return found
