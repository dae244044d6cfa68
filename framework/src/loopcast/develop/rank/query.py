"""Asking a ranker, and holding it to the rules of its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ModelError, Ranking, RankQuery, RankSchema
from loopcast.api.rank import cells_matrix, distinct_pairs
from loopcast.plugins import calling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Ranker

_CELLS = 4_000_000
"""Cells of a matrix that are in memory at once: 16 MB."""


def pairs_matrix(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> sparse.csr_array:
    """Return a matrix that is 1 at each of the pairs, and 0 elsewhere."""
    pairs = distinct_pairs(rows, columns, shape[1])
    return cells_matrix(pairs, np.ones(len(pairs), dtype=np.float32), shape)


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
    found = _asked(model, query, template)
    _refuse_wrong(found, query, template)
    return _cut(found, schema)


def ranked_again(model: Ranker, query: RankQuery, schema: RankSchema, template: str) -> Ranking:
    """Ask a ranker whose lists are about to be compared with those that another was held to.

    Raises
    ------
    ModelError
        Where a list has the wrong length.
    """
    return _cut(_asked(model, query, template), schema)


def _asked(model: Ranker, query: RankQuery, template: str) -> Ranking:
    with calling(template, "predict"):
        found = model.predict(query)
    return _whole(found, query, template)


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
    for problem, bad in _problems(found.items, found.scores, query):
        count = np.count_nonzero(bad)
        if count:
            row = int(np.argmax(bad.any(axis=1)))
            raise ModelError(
                f"template {template}: {count} places of its lists hold {problem}, the "
                f"first for entity {int(query.entities[row])}: {found.items[row].tolist()}"
            )


def _cut(found: Ranking, schema: RankSchema) -> Ranking:
    """Leave places empty whose score is below the minimum."""
    items, scores = found.items, found.scores
    filled = items >= 0
    if schema.minimum_score is not None:
        filled &= scores >= schema.minimum_score
    if not filled.all():
        items, scores = np.where(filled, items, -1), np.where(filled, scores, np.nan)
    return Ranking(
        items=items.astype(np.int32, copy=False), scores=scores.astype(np.float32, copy=False)
    )


def _padded(values: NDArray[Any], empty: float, shape: tuple[int, int]) -> NDArray[Any]:
    """Fill lists up that are short because there are fewer items than places."""
    if values.ndim != 2 or values.shape[0] != shape[0] or values.shape[1] >= shape[1]:
        return values
    return np.pad(values, ((0, 0), (0, shape[1] - values.shape[1])), constant_values=empty)


def _problems(
    items: NDArray[Any], scores: NDArray[Any], query: RankQuery
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each thing that may be wrong, and with which places of each list it is.

    What follows is asked only where nothing was wrong before, so that every item exists; an empty
    place, -1, points at the last one, which does no harm.
    """
    yield "items that do not exist", (items < -1) | (items >= len(query.allowed))
    filled = items >= 0
    if not query.allowed.all():
        yield "items that are not allowed", filled & ~query.allowed[items]
    if query.excluded is not None and query.excluded.nnz:
        yield "items that are excluded", filled & _among(items, query.excluded)
    ordered = np.sort(items, axis=1)
    same = ordered[:, 1:] == ordered[:, :-1]
    yield "an item twice", same & (ordered[:, 1:] >= 0) if same.any() else same
    yield "no finite score", filled & ~np.isfinite(scores)


def _among(items: NDArray[Any], matrix: sparse.csr_array) -> NDArray[np.bool_]:
    """Tell for which items of each row a matrix is not zero, in blocks that fit into memory."""
    found, width = np.empty(items.shape, dtype=bool), matrix.shape[1]
    step = max(1, _CELLS // width)
    for first in range(0, len(items), step):
        rows = slice(first, first + step)
        part = matrix[rows] if len(items) > step else matrix
        starts = np.arange(0, part.shape[0] * width, width)
        found[rows] = part.toarray().take(starts[:, None] + items[rows]) != 0
    return found
