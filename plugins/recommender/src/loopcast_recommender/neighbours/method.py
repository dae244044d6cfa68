"""Nearest items by a shrunken cosine.

Source: M. Deshpande and G. Karypis (2004), Item-based top-N recommendation algorithms, ACM TOIS 22;
the shrinkage as M. Ferrari Dacrema, P. Cremonesi and D. Jannach (2019), Are we really making much
progress?, RecSys '19, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy import sparse

from loopcast_recommender.history.method import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Files
    from loopcast.api.graph import Block


class Nearest(msgspec.Struct, frozen=True):
    """How many neighbours count, and how much similarities of few entities shrink."""

    neighbours: int
    shrinkage: float


@dataclass(frozen=True, eq=False)
class Similarities:
    """Similarity of each item (row) to those that it speaks for (columns)."""

    matrix: sparse.csr_array

    def score(self, history: sparse.csr_array) -> NDArray[np.float32]:
        """Return the sum of the similarities to what was chosen."""
        return np.asarray((history @ self.matrix).todense(), dtype=np.float32)

    def block(self, chosen: Block) -> Block:
        """Return the same as a block of a graph."""
        from loopcast_recommender.portable.scores import product_with

        return product_with(chosen, self.matrix.toarray())

    def save(self) -> Files:
        """Return nothing: similarities follow from the choices."""
        return {}


def similarities(choices: sparse.csr_array, option: Nearest) -> Similarities:
    """Return the largest similarities of each item, shape (items, items)."""
    together = (choices.T @ choices).tocoo()
    row, column = together.coords
    count = np.bincount(choices.indices, minlength=choices.shape[1])
    cosine = together.data / (np.sqrt(count[row] * count[column]) + option.shrinkage)
    cosine[row == column] = 0.0
    kept = _largest(column, cosine, option.neighbours)
    entries = (cosine[kept].astype(np.float32), (row[kept], column[kept]))
    return Similarities(sparse.csr_array(entries, shape=together.shape))


def _largest(group: NDArray[Any], value: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the positions of the largest values of each group that are above zero."""
    order = np.lexsort((-value, group))
    sizes = np.bincount(group)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = order[place < count]
    return found[value[found] > 0.0]


def _load(files: Files, choices: sparse.csr_array, option: Nearest) -> Similarities:
    return similarities(choices, option)


def _learn(choices: sparse.csr_array) -> Callable[[Nearest], Similarities]:
    return partial(similarities, choices)


NEIGHBOURS = Method(option=Nearest, learn=_learn, load=_load)
