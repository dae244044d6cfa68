"""An inner validation: choices held out of the training data, to choose hyperparameters by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from loopcast.api import RankData
from loopcast.api.rank import (
    by_cell,
    cells_matrix,
    matrix_rows,
    rows_matrix,
    run_starts,
    stable_order,
)
from loopcast_recommender.interactions import cells, remembered
from loopcast_recommender.lists import without

if TYPE_CHECKING:
    from numpy.typing import NDArray

Inner = Literal["last", "random"]
_CELLS = 4_000_000
"""Scores that are in memory at once: 16 MB."""

Score = Callable[[sparse.csr_array], "NDArray[np.float32]"]
"""Scores of all items for histories, shape (rows, items)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Some of the entities that are asked about, as many as fit into memory with all scores.

    Attributes
    ----------
    entities : ndarray, shape (rows,)
    history : csr_array, shape (rows, items)
        Of the training, as :func:`loopcast_recommender.interactions.choices` has it.
    hidden : ndarray, shape (cells,)
        What is not to be in a list, as row · items + item.
    row : ndarray, shape (choices,)
    chosen : ndarray, shape (choices,)
        What was chosen, as row · items + item.
    best : ndarray, shape (rows,)
        Discounted cumulative gain of the best list.
    """

    entities: NDArray[np.intp]
    history: sparse.csr_array
    hidden: NDArray[np.intp]
    row: NDArray[np.intp]
    chosen: NDArray[np.intp]
    best: NDArray[np.float64]

    @property
    def item(self) -> NDArray[np.intp]:
        """What was chosen, as items."""
        return self.chosen - self.row * self.history.shape[1]

    def gains(self, scores: NDArray[np.float32], length: int) -> NDArray[np.float64]:
        """Return the nDCG of each entity, by scores of shape (rows, items), which it may change."""
        shown = without(scores, self.hidden)
        near, twice = _places(shown, self.row, self.chosen, length)
        gain = _worth(length)[twice]
        gains = np.bincount(self.row[near], weights=gain, minlength=len(self.best))
        return np.asarray(gains / self.best)


@dataclass(frozen=True, eq=False, kw_only=True)
class Validation:
    """What remains to learn from, and what is asked.

    Attributes
    ----------
    training : csr_array, shape (entities, items)
        As :func:`loopcast_recommender.interactions.choices` has it.
    length
        Of the lists that are judged.
    """

    training: sparse.csr_array
    blocks: tuple[Block, ...]
    length: int

    def histories(self, half_life: float | None) -> list[sparse.csr_array]:
        """Return what those chose before who are asked about, block by block, as a model sees it.

        Parameters
        ----------
        half_life
            As :func:`loopcast_recommender.interactions.remembered` has it.
        """
        return [remembered(block.history, half_life) for block in self.blocks]

    def quality(self, histories: Sequence[sparse.csr_array], score: Score) -> NDArray[np.float64]:
        """Return the nDCG of each entity that chose something.

        Parameters
        ----------
        histories
            As :meth:`histories` has them.
        """
        blocks = zip(self.blocks, histories, strict=True)
        return np.concatenate([block.gains(score(own), self.length) for block, own in blocks])

    def sample(self, count: int, seed: int) -> Block:
        """Return some of the entities that are asked about, as one block."""
        block = self.blocks[0]
        drawn = np.random.default_rng(seed).permutation(len(block.entities))[:count]
        kept = np.sort(drawn)
        place = np.full(len(block.entities), -1)
        place[kept] = np.arange(len(kept))
        row = place[block.row]
        asked, history = row >= 0, matrix_rows(block.history, kept)
        return Block(
            entities=block.entities[kept],
            history=history,
            hidden=_hidden(history, repeat=not len(block.hidden)),
            row=row[asked],
            chosen=(row * history.shape[1] + block.item)[asked],
            best=block.best[kept],
        )


def _places(
    scores: NDArray[np.float32], row: NDArray[np.intp], chosen: NDArray[np.intp], length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which choices may be within the length, and one more than twice their places.

    A place, the first of which is 0, is how many items of the row have a higher score; of equal
    ones, half are higher. Before the length, fewer than twice as many scores are as high, so that
    no others are compared. The scores are put in order where they are.
    """
    value = scores.take(chosen)
    scores.sort(axis=1)
    top = scores[:, -2 * length - 1 :]
    near = np.flatnonzero(value >= top[:, -min(length, scores.shape[1])].take(row))
    among, own = top.take(row[near], axis=0), value[near, None]
    both = (among > own).view(np.int8) + (among >= own).view(np.int8)
    # Counted by a product, which is faster than sums of rows; the choice itself is as high.
    twice = both.astype(np.float32) @ np.ones(top.shape[1], np.float32)
    return near, twice.astype(np.intp)


def _worth(length: int) -> NDArray[np.float64]:
    """Return the gain of a choice by one more than twice its place: none beyond the length."""
    place = (np.arange(4 * length + 3) - 1.0) / 2.0
    return np.where(place < length, 1.0 / np.log2(place + 2.0), 0.0)


def _hidden(history: sparse.csr_array, *, repeat: bool) -> NDArray[np.intp]:
    """Return the cells of what may not be in a list."""
    if repeat:
        return np.zeros(0, dtype=np.intp)
    row, item = cells(history)
    return np.asarray(row * history.shape[1] + item)


def validation(
    training: sparse.csr_array,
    row: NDArray[np.integer[Any]],
    item: NDArray[np.integer[Any]],
    *,
    length: int,
    repeat: bool,
) -> Validation:
    """Return what is asked about choices.

    Parameters
    ----------
    row, item : ndarray, shape (choices,)
        What was chosen, each pair once, row by row.
    repeat
        Whether what is in the training may be in a list.
    """
    sizes = np.bincount(row, minlength=training.shape[0])
    asked = np.flatnonzero(sizes)
    ends = np.append(0, np.cumsum(sizes[asked]))
    discounts = np.cumsum(1.0 / np.log2(np.arange(2, length + 2)))
    step = max(1, _CELLS // training.shape[1])
    blocks = []
    for first in range(0, len(asked), step):
        entities = asked[first : first + step]
        history = matrix_rows(training, entities)
        within = np.repeat(np.arange(len(entities)), sizes[entities])
        blocks.append(
            Block(
                entities=entities,
                history=history,
                hidden=_hidden(history, repeat=repeat),
                row=within,
                chosen=within * history.shape[1] + item[ends[first] : ends[first + len(entities)]],
                best=discounts[np.minimum(sizes[entities], length) - 1],
            )
        )
    return Validation(training=training, blocks=tuple(blocks), length=length)


def hold_out(data: RankData, how: Inner, count: int, seed: int) -> Validation | None:
    """Hold some choices of each entity out, at most a third of them.

    Returns
    -------
    Validation or None
        ``None`` where nothing could be foreseen: no entity chose often enough.
    """
    shape, repeat = (len(data.entities), len(data.items)), data.schema.repeat
    if how == "last" and data.choices.nnz == len(data.item):
        training, asked = _parted_once(data.choices, count)
    else:
        order, sizes = stable_order(data.entity), np.bincount(data.entity, minlength=shape[0])
        kept = ~_held(order, sizes, how, count, seed)
        cell = np.repeat(np.arange(shape[0]), sizes) * shape[1] + data.item[order]
        training, asked = _parted(cell, _places_from_end(kept, sizes), shape, repeat=repeat)
    row = asked // shape[1]
    item = asked - row * shape[1]
    known = np.bincount(training.indices, minlength=shape[1])[item] > 0
    if not known.any():
        return None
    return validation(training, row[known], item[known], length=data.schema.length, repeat=repeat)


def _parted_once(
    choices: sparse.csr_array, count: int
) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Return the same as :func:`_parted` of the last ones, where nothing was chosen twice.

    Then places from the end say all there is to know, and nothing is put in order again.
    """
    sizes = np.diff(choices.indptr)
    held = np.minimum(sizes // 3, count)
    place = choices.data - np.repeat(held.astype(np.float32), sizes)
    last, asked = np.flatnonzero(place > 0), np.flatnonzero(place <= 0)
    ends = np.append(0, np.cumsum(sizes - held))
    row = np.repeat(np.arange(len(sizes)), held)
    training = rows_matrix(place[last], choices.indices[last], ends, choices.shape)
    return training, row * choices.shape[1] + choices.indices[asked]


def _places_from_end(kept: NDArray[np.bool_], sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Count what is kept of each entity from its end, the last of which is 1; 0 for the rest."""
    before = np.append(0, np.cumsum(kept))
    return np.where(kept, np.repeat(before[np.cumsum(sizes)], sizes) - before[:-1], 0)


def _parted(
    cell: NDArray[np.int64], place: NDArray[np.intp], shape: tuple[int, int], *, repeat: bool
) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Return the last places of what is kept, and cells of what is not that may be asked, in order.

    Unless it may be repeated, what an entity chose before is not asked.
    """
    cell, place = by_cell(cell, place)  # in each cell, first what is held out, then the last kept
    held = place == 0
    starts = run_starts(cell)
    last = np.flatnonzero(~held & (starts | np.append(True, held[:-1])))
    asked = np.flatnonzero(held & (starts if repeat else np.append(starts[1:], True)))
    return cells_matrix(cell[last], place[last].astype(np.float32), shape), cell[asked]


def held_out(
    entity: NDArray[np.integer[Any]], how: Inner, count: int, seed: int
) -> NDArray[np.bool_]:
    """Mark the last interactions of each entity, or as many at random."""
    order = stable_order(entity)
    held = np.empty(len(entity), dtype=bool)
    held[order] = _held(order, np.bincount(entity), how, count, seed)
    return held


def _held(
    order: NDArray[np.int64], sizes: NDArray[np.intp], how: Inner, count: int, seed: int
) -> NDArray[np.bool_]:
    """Mark the same, entity by entity."""
    from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(order))
    last = from_end <= np.repeat(np.minimum(sizes // 3, count), sizes)
    if how == "last":
        return last
    drawn = np.random.default_rng(seed).random(len(order))[order]
    held = np.empty_like(last)
    held[np.lexsort((drawn, np.repeat(np.arange(len(sizes)), sizes)))] = last
    return held


def clearly_better(found: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether a mean is higher by more than the standard error of the paired difference.

    The best of many that were tried looks better than it is; so small a lead is none.
    """
    difference = found - other
    error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
    return bool(difference.mean() > error)
