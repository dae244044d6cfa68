"""The task *rank*: entities (customers) to ordered items (products)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api.schema import RankSchema
    from loopcast.api.template import Files


@dataclass(frozen=True, eq=False, kw_only=True)
class RankData:
    """Interactions of entities with items, coded as integers.

    Attributes
    ----------
    entities, items : Index, shapes (n_entities,) and (n_items,)
        Names behind the codes.
    entity, item : ndarray, shape (interactions,), int32
        Codes of each interaction, the oldest first.
    value : ndarray, shape (interactions,), float32
        Its strength.
    time : ndarray, shape (interactions,), datetime64
        When it happened.
    entity_features, item_features : DataFrame or None
        Indexed like ``entities`` and ``items``.
    """

    entities: pd.Index
    items: pd.Index
    entity: NDArray[np.int32]
    item: NDArray[np.int32]
    value: NDArray[np.float32]
    time: NDArray[np.datetime64]
    schema: RankSchema
    entity_features: pd.DataFrame | None = None
    item_features: pd.DataFrame | None = None

    @cached_property
    def choices(self) -> sparse.csr_array:
        """When each entity last chose each item, as :func:`last_places` has it.

        Shape (n_entities, n_items). Who judges and the templates share it, and change nothing.
        """
        return last_places(self.entity, self.item, (len(self.entities), len(self.items)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking:
    """Ordered items for each entity asked for.

    Attributes
    ----------
    items : ndarray, shape (entities, length), int32
        Item codes, the best first; −1 where nothing is recommended.
    scores : ndarray, shape (entities, length), float32
        Scores in the same order; NaN where nothing is recommended.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class RankQuery:
    """Who is asked for, and what may be recommended.

    Attributes
    ----------
    entities : ndarray, shape (n,), int32
        Entity codes; −1 for one that was never seen.
    length
        How many items each list has.
    allowed : ndarray, shape (n_items,), bool
        Items that may be recommended to anyone.
    excluded : csr_array, shape (n, n_items), or None
        Non-zero where an item is not for this entity: already bought, not eligible.
    history : csr_array, shape (n, n_items), or None
        Interactions known now, where newer than training: places from the end, as
        :func:`last_places` has them.
    entity_features : DataFrame, shape (n, features), or None
        Of entities that were never seen.
    moment
        For when the lists are, as a time without zone in UTC; the end of the training where it is
        ``None``.
    """

    entities: NDArray[np.int32]
    length: int
    allowed: NDArray[np.bool_]
    excluded: sparse.csr_array | None = None
    history: sparse.csr_array | None = None
    entity_features: pd.DataFrame | None = None
    moment: np.datetime64 | None = None


@runtime_checkable
class Ranker(Protocol):
    """A fitted ranking model."""

    def predict(self, query: RankQuery) -> Ranking:
        """Rank for all entities of the query at once."""
        ...

    def save(self) -> Files:
        """Return the fitted state as files in formats that cannot run code."""
        ...


@runtime_checkable
class Rater(Ranker, Protocol):
    """A ranker that also expects a strength of each interaction: how an entity rates an item."""

    def rate(
        self, query: RankQuery, row: NDArray[np.int32], item: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return the expected strength for pairs, shape (pairs,).

        Parameters
        ----------
        row, item : ndarray, shape (pairs,)
            Row of the query, and item code.
        """
        ...


@runtime_checkable
class SessionRanker(Ranker, Protocol):
    """A ranker whose lists can be adjusted to what an entity is looking at."""

    def session_scores(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return what looking at some items adds to the score of each item, shape (n_items,).

        It is added to the scores of a list that was made before; where scores add up over
        choices, the sum is the score of an entity that had chosen these items too.

        Parameters
        ----------
        items : ndarray, shape (viewed,)
            Item codes.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class RankOutcome:
    """Rankings and the items that were chosen next; what a rank metric is computed from.

    Attributes
    ----------
    ranking
        One row for each entity that is judged.
    chosen_entity, chosen_item : ndarray, shape (choices,), int32
        Row in the ranking and item code of each held-out interaction.
    popularity : ndarray, shape (n_items,), float64
        Share of training interactions of each item, for coverage and novelty.
    chosen_value, expected_value : ndarray, shape (choices,), float32, or None
        Strength of each held-out interaction, as a rating, and what the model expected of it;
        ``None`` where the model is no :class:`Rater`.
    """

    ranking: Ranking
    chosen_entity: NDArray[np.int32]
    chosen_item: NDArray[np.int32]
    popularity: NDArray[np.float64]
    chosen_value: NDArray[np.float32] | None = None
    expected_value: NDArray[np.float32] | None = None

    @cached_property
    def hits(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which places of the lists were chosen, and how many items each entity chose.

        Shapes (entities, length) and (entities,); NaN for an entity that chose none. Metrics
        share it.
        """
        import numpy as np

        items, width = self.ranking.items, len(self.popularity)
        match = items[self.chosen_entity] == self.chosen_item[:, None]
        choice, place = np.divmod(np.flatnonzero(match), items.shape[1])
        hits = np.zeros(items.shape, dtype=bool)
        hits[self.chosen_entity[choice], place] = True
        chosen = distinct_pairs(self.chosen_entity, self.chosen_item, width)
        count = np.bincount(chosen // width, minlength=len(items)).astype(np.float64)
        return hits, np.where(count > 0, count, np.nan)


def last_places(
    entity: NDArray[np.integer[Any]], item: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> sparse.csr_array:
    """Say when each entity last chose each item, counted in its own choices.

    Parameters
    ----------
    entity, item : ndarray, shape (interactions,)
        Codes, the oldest interaction first.
    shape
        How many entities and items there are.

    Returns
    -------
    csr_array, shape (entities, items), float32
        1 where the item was the last that the entity chose, 2 for the one before, and so on; of
        an item that was chosen again, the last time counts.

    Examples
    --------
    >>> import numpy as np
    >>> who, what = np.array([0, 1, 0, 0]), np.array([0, 1, 2, 0])
    >>> last_places(who, what, (2, 3)).toarray()
    array([[1., 0., 2.],
           [0., 1., 0.]], dtype=float32)
    """
    import numpy as np

    order, sizes = stable_order(entity), np.bincount(entity, minlength=shape[0])
    from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(order))
    row = np.repeat(np.arange(shape[0]), sizes)
    cell, place = by_cell(row * shape[1] + item[order], from_end)
    last = run_starts(cell)
    return cells_matrix(cell[last], place[last].astype(np.float32), shape)


def by_cell(
    cell: NDArray[np.int64], place: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return cells and places in the order of both: to sort them as one number takes no indices.

    Parameters
    ----------
    cell, place : ndarray, shape (n,)
        Not negative; the largest cell times the largest place is less than 2⁶².

    Examples
    --------
    >>> import numpy as np
    >>> cell, place = by_cell(np.array([7, 2, 7]), np.array([3, 1, 2]))
    >>> cell.tolist(), place.tolist()
    ([2, 7, 7], [1, 2, 3])
    """
    bits = int(place.max(initial=0)).bit_length()
    keys = _ordered((cell << bits) | place)
    return keys >> bits, keys & ((1 << bits) - 1)


def cells_matrix(
    cell: NDArray[np.int64], values: NDArray[np.float32], shape: tuple[int, int]
) -> sparse.csr_array:
    """Return a matrix by its cells, as row · width + column, which are in order and named once.

    Examples
    --------
    >>> import numpy as np
    >>> cells_matrix(np.array([1, 3]), np.array([5.0, 6.0]), (2, 3)).toarray()
    array([[0., 5., 0.],
           [6., 0., 0.]])
    """
    import numpy as np

    first = np.arange(shape[0] + 1) * shape[1]
    ends = np.searchsorted(cell, first)
    return rows_matrix(values, cell - np.repeat(first[:-1], np.diff(ends)), ends, shape)


def rows_matrix(
    values: NDArray[np.float32],
    columns: NDArray[np.integer[Any]],
    ends: NDArray[np.integer[Any]],
    shape: tuple[int, int],
) -> sparse.csr_array:
    """Return a matrix whose entries are given row by row, in the order of their columns.

    Parameters
    ----------
    values, columns : ndarray, shape (entries,)
    ends : ndarray, shape (rows + 1,)
        How many of them there are before each row, and in all.

    Examples
    --------
    >>> import numpy as np
    >>> rows_matrix(np.array([5.0, 7.0]), np.array([1, 0]), np.array([0, 1, 2]), (2, 2)).toarray()
    array([[0., 5.],
           [7., 0.]])
    """
    import numpy as np
    from scipy import sparse

    index = np.int32 if max(len(columns), *shape) < 2**31 else np.int64
    places = (columns.astype(index, copy=False), ends.astype(index, copy=False))
    return sparse.csr_array((values, *places), shape=shape)


def matrix_rows(matrix: sparse.csr_array, rows: NDArray[np.integer[Any]]) -> sparse.csr_array:
    """Return some rows of a matrix, one without entries for −1; the matrix itself for all of them.

    Examples
    --------
    >>> import numpy as np
    >>> known = last_places(np.array([0, 1, 0]), np.array([0, 1, 2]), (2, 3))
    >>> matrix_rows(known, np.array([1, -1])).toarray()
    array([[0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    import numpy as np

    if np.array_equal(rows, np.arange(matrix.shape[0])):
        return matrix
    first = matrix.indptr[rows]
    sizes = np.maximum(matrix.indptr[rows + 1] - first, 0)  # for −1, the first less the last end
    ends = np.append(0, np.cumsum(sizes))
    place = np.arange(ends[-1]) + np.repeat(first - ends[:-1], sizes)
    shape = (len(rows), matrix.shape[1])
    return rows_matrix(matrix.data[place], matrix.indices[place], ends, shape)


def distinct_pairs(
    entity: NDArray[np.integer[Any]], item: NDArray[np.integer[Any]], width: int
) -> NDArray[np.int64]:
    """Return each pair of an entity and an item once, in their order, as entity · width + item.

    Parameters
    ----------
    entity, item : ndarray, shape (n,)
        Codes, none of them negative.
    width
        How many items there are.

    Examples
    --------
    >>> import numpy as np
    >>> distinct_pairs(np.array([1, 0, 1]), np.array([0, 2, 0]), 3).tolist()
    [2, 3]
    """
    import numpy as np

    pairs = np.sort(entity.astype(np.int64) * width + item)
    return pairs[run_starts(pairs)]


def run_starts(ordered: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Mark the first of equal numbers that follow each other, shape (n,).

    To compare neighbours takes a fraction of what it takes to subtract them.

    Examples
    --------
    >>> import numpy as np
    >>> run_starts(np.array([2, 2, 5, 7, 7])).tolist()
    [True, False, True, True, False]
    """
    import numpy as np

    starts = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts


def stable_order(codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the order of codes, equal ones as they are: many times as fast as to sort indices.

    Parameters
    ----------
    codes : ndarray, shape (n,)
        Not negative, and less than 2⁶³ / n.

    Examples
    --------
    >>> import numpy as np
    >>> stable_order(np.array([2, 0, 2, 1])).tolist()
    [1, 3, 0, 2]
    """
    import numpy as np

    bits = len(codes).bit_length()
    keys = _ordered((codes.astype(np.int64) << bits) | np.arange(len(codes)))
    return keys & ((1 << bits) - 1)


def _ordered(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort numbers that are not negative: in 32 bits, if these hold them, it takes half as long."""
    import numpy as np

    kept = keys.astype(np.int32) if keys.max(initial=0) < 2**31 else keys
    kept.sort()
    return kept.astype(np.int64, copy=False)
