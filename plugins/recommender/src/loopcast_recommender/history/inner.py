"""An inner validation: choices held out of the training data, to choose hyperparameters by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from loopcast.api import RankData, last_places
from loopcast.api.rank import stable_order
from loopcast_recommender.interactions import cells, presence, rows_of

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
    hidden : tuple of ndarray
        Rows and items that are not to be in a list.
    row, item : ndarray, shape (choices,)
        What was chosen.
    best : ndarray, shape (rows,)
        Discounted cumulative gain of the best list.
    """

    entities: NDArray[np.intp]
    hidden: tuple[NDArray[Any], NDArray[Any]]
    row: NDArray[Any]
    item: NDArray[Any]
    best: NDArray[np.float64]

    def gains(self, scores: NDArray[np.float32], length: int) -> NDArray[np.float64]:
        """Return the nDCG of each entity, by scores of shape (rows, items), which it may change."""
        scores[self.hidden] = -np.inf
        place = _places(scores, self.row, self.item, length)
        gain = np.where(place < length, 1.0 / np.log2(place + 2.0), 0.0)
        return np.asarray(np.bincount(self.row, weights=gain, minlength=len(self.best)) / self.best)


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

    def histories(self, history: sparse.csr_array) -> list[sparse.csr_array]:
        """Return what those chose before who are asked about, block by block.

        Parameters
        ----------
        history
            Of all entities, as the model sees it.
        """
        return [rows_of(history, block.entities) for block in self.blocks]

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
            hidden=(place[row[hidden]], item[hidden]),
            row=place[block.row[asked]],
            item=block.item[asked],
            best=block.best[kept],
        )


def _places(
    scores: NDArray[np.float32], row: NDArray[Any], item: NDArray[Any], length: int
) -> NDArray[np.float64]:
    """Return how many items of a row have a higher score; of equal ones, half are higher.

    From the length on, places are said to be infinite. Before it, fewer than twice as many scores
    are as high, so that no others are compared. The scores are put in order where they are.
    """
    value = scores[row, item]
    scores.sort(axis=1)
    top = scores[:, -2 * length - 1 :]
    near = np.flatnonzero(value >= top[row, -min(length, scores.shape[1])])
    among, own = top[row[near]], value[near, None]
    higher, not_lower = (np.count_nonzero(each, axis=1) for each in (among > own, among >= own))
    place = np.full(len(row), np.inf)
    place[near] = (higher + not_lower - 1.0) / 2.0
    return place


def validation(
    training: sparse.csr_array, chosen: sparse.csr_array, *, length: int, repeat: bool
) -> Validation:
    """Return what is asked about choices, 1 in a matrix of entities by items.

    Parameters
    ----------
    repeat
        Whether what is in the training may be in a list.
    """
    asked = np.flatnonzero(np.diff(chosen.indptr))
    discounts = np.cumsum(1.0 / np.log2(np.arange(2, length + 2)))
    step = max(1, _CELLS // chosen.shape[1])
    blocks = []
    for first in range(0, len(asked), step):
        entities = asked[first : first + step]
        row, item = cells(rows_of(chosen, entities))
        nothing = np.zeros(0, dtype=np.intp)
        blocks.append(
            Block(
                entities=entities,
                hidden=(nothing, nothing) if repeat else cells(rows_of(training, entities)),
                row=row,
                item=item,
                best=discounts[np.minimum(np.bincount(row), length) - 1],
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
    shape = (len(data.entities), len(data.items))
    training = last_places(data.entity[~held], data.item[~held], shape)
    chosen = presence(last_places(data.entity[held], data.item[held], shape))
    if not data.schema.repeat:
        chosen = chosen - chosen.multiply(presence(training))
    chosen = chosen.multiply(np.bincount(training.indices, minlength=shape[1]) > 0).tocsr()
    chosen.eliminate_zeros()
    if not chosen.nnz:
        return None
    return validation(training, chosen, length=data.schema.length, repeat=data.schema.repeat)


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
