"""Asking a ranker, and holding it to the rules of its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ModelError, Ranking, RankQuery, RankSchema
from loopcast.api.rank import distinct_pairs, rows_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Ranker

_CELLS = 4_000_000
"""Cells of a matrix that are in memory at once: 16 MB."""


def pairs_matrix(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> sparse.csr_array:
    """Return a matrix that is 1 at each of the pairs, and 0 elsewhere."""
    row, column = np.divmod(distinct_pairs(rows, columns, shape[1]), shape[1])
    ones = np.ones(len(row), dtype=np.float32)
    return rows_matrix(ones, column, np.bincount(row, minlength=shape[0]), shape)


def rows_of(entities: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the row of a query of each of ``count`` entities; −1 for one that is not asked for.

    Examples
    --------
    >>> rows_of(np.array([2, -1, 0], dtype=np.int32), 4).tolist()
    [2, -1, 0, -1]
    """
    rows, known = np.full(count, -1, dtype=np.int64), np.flatnonzero(entities >= 0)
    rows[entities[known]] = known
    return rows


def ranked(model: Ranker, query: RankQuery, schema: RankSchema, template: str) -> Ranking:
    """Ask a ranker, check its lists, and leave places empty whose score is below the minimum.

    Raises
    ------
    ModelError
        Where a list has the wrong length, an item that does not exist, is not allowed or is
        excluded, an item twice, or a place without a finite score.
    """
    found = _whole(model.predict(query), query, template)
    _refuse_wrong(found, query, template)
    return _cut(found, schema)


def ranked_again(model: Ranker, query: RankQuery, schema: RankSchema, template: str) -> Ranking:
    """Ask a ranker whose lists are about to be compared with those that another was held to.

    Raises
    ------
    ModelError
        Where a list has the wrong length.
    """
    return _cut(_whole(model.predict(query), query, template), schema)


def _whole(found: Ranking, query: RankQuery, template: str) -> Ranking:
    """Return lists of the length that was asked for."""
    items, scores = np.asarray(found.items), np.asarray(found.scores)
    expected = (len(query.entities), query.length)
    items, scores = _padded(items, -1, expected), _padded(scores, np.nan, expected)
    if items.shape != expected or scores.shape != expected:
        raise ModelError(
            f"template {template}: lists have shape {items.shape}, scores {scores.shape}; expected "
            f"{expected} (entities, length)"
        )
    return Ranking(items=items, scores=scores)


def _refuse_wrong(found: Ranking, query: RankQuery, template: str) -> None:
    """Raise what is wrong with lists, naming the first."""
    items = found.items
    for problem, bad in _problems(items, found.scores, items >= 0, query):
        if bad.any():
            row = int(np.argmax(bad.any(axis=1)))
            raise ModelError(
                f"template {template}: {int(bad.sum())} places of its lists hold {problem}, the "
                f"first for entity {int(query.entities[row])}: {items[row].tolist()}"
            )


def _cut(found: Ranking, schema: RankSchema) -> Ranking:
    """Leave places empty whose score is below the minimum."""
    filled = found.items >= 0
    if schema.minimum_score is not None:
        filled &= found.scores >= schema.minimum_score
    return Ranking(
        items=np.where(filled, found.items, -1).astype(np.int32),
        scores=np.where(filled, found.scores, np.nan).astype(np.float32),
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
    ordered = np.sort(items, axis=1)
    twice = np.zeros_like(filled)
    twice[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    return [
        ("items that do not exist", outside),
        ("items that are not allowed", filled & ~allowed[inside]),
        ("items that are excluded", filled & _excluded(inside, query)),
        ("an item twice", twice),
        ("no finite score", filled & ~np.isfinite(scores)),
    ]


def _excluded(items: NDArray[Any], query: RankQuery) -> NDArray[np.bool_]:
    """Tell which items of each list are excluded, in blocks of rows that fit into memory."""
    found, width = np.zeros(items.shape, dtype=bool), len(query.allowed)
    if query.excluded is None or not query.excluded.nnz:
        return found
    step = max(1, _CELLS // width)
    for first in range(0, len(items), step):
        rows = slice(first, first + step)
        part = query.excluded[rows] if len(items) > step else query.excluded
        cells = np.arange(part.shape[0])[:, None] * width + items[rows]
        found[rows] = part.toarray().ravel()[cells] != 0
    return found
