"""An inner validation: choices held out of the training data, to choose hyperparameters by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from loopcast.api import RankData, last_places
from loopcast.api.rank import distinct_pairs, matrix_rows, stable_order
from loopcast_recommender.interactions import cells, remembered

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
    hidden : tuple of ndarray
        Rows and items that are not to be in a list.
    row, item : ndarray, shape (choices,)
        What was chosen.
    best : ndarray, shape (rows,)
        Discounted cumulative gain of the best list.
    """

    entities: NDArray[np.intp]
    history: sparse.csr_array
    hidden: tuple[NDArray[Any], NDArray[Any]]
    row: NDArray[Any]
    item: NDArray[Any]
    best: NDArray[np.float64]

    def gains(self, scores: NDArray[np.float32], length: int) -> NDArray[np.float64]:
        """Return the nDCG of each entity, by scores of shape (rows, items), which it may change."""
        scores[self.hidden] = -np.inf
        near, place = _places(scores, self.row, self.item, length)
        gain = np.where(place < length, 1.0 / np.log2(place + 2.0), 0.0)
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
        (row, item), asked = block.hidden, place[block.row] >= 0
        hidden = place[row] >= 0
        return Block(
            entities=block.entities[kept],
            history=matrix_rows(block.history, kept),
            hidden=(place[row[hidden]], item[hidden]),
            row=place[block.row[asked]],
            item=block.item[asked],
            best=block.best[kept],
        )


def _places(
    scores: NDArray[np.float32], row: NDArray[Any], item: NDArray[Any], length: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return which choices may be within the length, and their places, the first of which is 0.

    A place is how many items of the row have a higher score; of equal ones, half are higher. Before
    the length, fewer than twice as many scores are as high, so that no others are compared. The
    scores are put in order where they are.
    """
    value = scores[row, item]
    scores.sort(axis=1)
    top = scores[:, -2 * length - 1 :]
    near = np.flatnonzero(value >= top[row, -min(length, scores.shape[1])])
    among, own = top[row[near]], value[near, None]
    twice = np.add(among > own, among >= own, dtype=np.int8).sum(axis=1)
    return near, (twice - 1.0) / 2.0


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
        history, count = matrix_rows(training, entities), sizes[entities]
        nothing = np.zeros(0, dtype=np.intp)
        blocks.append(
            Block(
                entities=entities,
                history=history,
                hidden=(nothing, nothing) if repeat else cells(history),
                row=np.repeat(np.arange(len(entities)), count),
                item=item[ends[first] : ends[first + len(entities)]],
                best=discounts[np.minimum(count, length) - 1],
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
    held = held_out(data.entity, how, count, seed)
    shape, repeat = (len(data.entities), len(data.items)), data.schema.repeat
    training = last_places(data.entity[~held], data.item[~held], shape)
    row, item = _foreseeable(training, data.entity[held], data.item[held], repeat=repeat)
    if not len(row):
        return None
    return validation(training, row, item, length=data.schema.length, repeat=repeat)


def _foreseeable(
    training: sparse.csr_array, entity: NDArray[np.int32], item: NDArray[np.int32], *, repeat: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return choices that training can foretell, each pair once, row by row.

    Others chose the item in the training; unless it may be repeated, the entity did not.
    """
    width = training.shape[1]
    known = np.bincount(training.indices, minlength=width) > 0
    kept = known[item]
    chosen = distinct_pairs(entity[kept], item[kept], width)
    if not repeat:
        row, column = cells(training)
        before = row * width + column
        place = np.searchsorted(before, chosen)
        chosen = chosen[np.append(before, -1)[place] != chosen]  # none after the last of them
    return np.divmod(chosen, width)


def held_out(
    entity: NDArray[np.integer[Any]], how: Inner, count: int, seed: int
) -> NDArray[np.bool_]:
    """Mark the last interactions of each entity, or as many at random."""
    drawn = np.random.default_rng(seed).random(len(entity)) if how == "random" else None
    order = stable_order(entity) if drawn is None else np.lexsort((drawn, entity))
    sizes = np.bincount(entity)
    from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(entity))
    held = np.zeros(len(entity), dtype=bool)
    held[order] = from_end <= np.minimum(np.repeat(sizes, sizes) // 3, count)
    return held


def clearly_better(found: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether a mean is higher by more than the standard error of the paired difference.

    The best of many that were tried looks better than it is; so small a lead is none.
    """
    difference = found - other
    error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
    return bool(difference.mean() > error)
