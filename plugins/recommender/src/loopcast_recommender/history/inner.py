"""An inner validation: choices held out of the training data, to choose hyperparameters by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from loopcast.api import RankData, last_places
from loopcast_recommender.interactions import presence

if TYPE_CHECKING:
    from numpy.typing import NDArray

Inner = Literal["last", "random"]
_CELLS = 4_000_000
"""Scores that are in memory at once: 16 MB."""

Score = Callable[[sparse.csr_array], "NDArray[np.float32]"]
"""Scores of all items for histories, shape (rows, items)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Validation:
    """What remains to learn from, and what is asked.

    Attributes
    ----------
    training : csr_array, shape (entities, items)
        As :func:`loopcast_recommender.interactions.choices` has it.
    chosen : csr_array, shape (entities, items)
        1 where an entity chose an item among what is held out.
    length
        Of the lists that are judged.
    repeat
        Whether what was chosen before may be chosen again.
    """

    training: sparse.csr_array
    chosen: sparse.csr_array
    length: int
    repeat: bool

    def quality(self, history: sparse.csr_array, score: Score) -> NDArray[np.float64]:
        """Return the nDCG of each entity that chose something.

        Parameters
        ----------
        history
            What the entities chose before, as the model sees it.
        """
        asked = np.flatnonzero(np.diff(self.chosen.indptr))
        own, wanted, before = history[asked], self.chosen[asked], self.training[asked]
        step = max(1, _CELLS // self.training.shape[1])
        parts = [slice(first, first + step) for first in range(0, len(asked), step)]
        gains = [self._gains(score(own[part]), wanted[part], before[part]) for part in parts]
        return np.concatenate(gains)

    def _gains(
        self, scores: NDArray[np.float32], chosen: sparse.csr_array, before: sparse.csr_array
    ) -> NDArray[np.float64]:
        if not self.repeat:
            scores[before.nonzero()] = -np.inf
        row, column = chosen.nonzero()
        place = _places(scores, row, column)
        gain = np.where(place < self.length, 1.0 / np.log2(place + 2.0), 0.0)
        count = np.diff(chosen.indptr)
        best = np.cumsum(1.0 / np.log2(np.arange(2, self.length + 2)))
        found = np.bincount(row, weights=gain, minlength=len(count))
        return np.asarray(found / best[np.minimum(count, self.length) - 1])


def _places(
    scores: NDArray[np.float32], row: NDArray[Any], column: NDArray[Any]
) -> NDArray[np.float64]:
    """Return how many items of a row have a higher score; of equal ones, half are higher."""
    value = scores[row, column][:, None]
    place = np.empty(len(row))
    step = max(1, _CELLS // scores.shape[1])
    for first in range(0, len(row), step):
        part = slice(first, first + step)
        among = scores[row[part]]
        higher = (among > value[part]).sum(axis=1)
        not_lower = (among >= value[part]).sum(axis=1)
        place[part] = (higher + not_lower - 1) / 2.0
    return place


def hold_out(data: RankData, how: Inner, count: int, seed: int) -> Validation | None:
    """Hold some choices of each entity out, at most a third of them.

    Returns
    -------
    Validation or None
        ``None`` where nothing could be foreseen: no entity chose often enough.
    """
    held = _held_out(data.entity, how, count, seed)
    shape = (len(data.entities), len(data.items))
    training = last_places(data.entity[~held], data.item[~held], shape)
    chosen = presence(last_places(data.entity[held], data.item[held], shape))
    if not data.schema.repeat:
        chosen = chosen - chosen.multiply(presence(training))
    chosen = chosen.multiply(np.bincount(training.indices, minlength=shape[1]) > 0).tocsr()
    chosen.eliminate_zeros()
    if not chosen.nnz:
        return None
    return Validation(
        training=training, chosen=chosen, length=data.schema.length, repeat=data.schema.repeat
    )


def _held_out(
    entity: NDArray[np.integer[Any]], how: Inner, count: int, seed: int
) -> NDArray[np.bool_]:
    """Mark the last interactions of each entity, or as many at random."""
    drawn = np.random.default_rng(seed).random(len(entity)) if how == "random" else None
    order = np.argsort(entity, kind="stable") if drawn is None else np.lexsort((drawn, entity))
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
