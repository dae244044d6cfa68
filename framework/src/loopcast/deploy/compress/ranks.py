"""Large products of weights at lower ranks, as those by which a list is scored.

What a score makes of thousands of items is a matrix of items by items, or two of items by whoever
it was learned from. The best of each rank is the truncated singular value decomposition (C. Eckart
and G. Young, The approximation of one matrix by another of lower rank, Psychometrika 1 (1936)),
which takes the rank times as many weights as there are items, twice.
"""

from __future__ import annotations

from functools import reduce
from operator import matmul
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from loopcast.api import graph as g
from loopcast.deploy.compress.rewrite import Of, replaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RANKS = (256, 128, 64, 32)
"""What is tried, the largest first."""

LARGE = 65_536
"""Weights from which on a product is worth it."""

FEWER = 2
"""So many times fewer weights it has to have."""


class _Product(NamedTuple):
    """What weights make of columns together: the last of them first."""

    of: g.Block
    matrices: tuple[Floats, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.matrices[0]), self.matrices[-1].shape[1]

    def gains(self, rank: int) -> bool:
        """Tell whether a rank takes so many fewer weights."""
        weights = sum(matrix.size for matrix in self.matrices)
        return weights >= LARGE and FEWER * rank * sum(self.shape) <= weights


class _Factors(NamedTuple):
    """The decomposition of a product, the largest values first."""

    product: _Product
    left: Floats
    right: Floats

    def of_rank(self, block: g.Linear, rank: int, of: Of) -> g.Block | None:
        """Return a block that is nearly the same, nothing where that saves too little."""
        if not self.product.gains(rank):
            return None
        inner = g.Linear(of(self.product.of), self.right[:rank], np.zeros(rank))
        return g.Linear(inner, self.left[:, :rank], block.bias)


def of_lower_rank(graph: g.Graph) -> dict[int, g.Graph]:
    """Return a graph at each rank that saves weights, none where no product is large."""
    found: dict[g.Linear, _Factors] = {}

    def note(block: g.Block, of: Of) -> g.Block | None:
        if not isinstance(block, g.Linear) or block.exact:
            return None
        product = _product(block)
        if not product.gains(RANKS[-1]):
            return None
        found[block] = _decomposed(product)
        of(product.of)
        return block

    replaced(graph, note)
    ranks = [rank for rank in RANKS if any(each.product.gains(rank) for each in found.values())]
    return {rank: _at(graph, found, rank) for rank in ranks}


def _at(graph: g.Graph, found: dict[g.Linear, _Factors], rank: int) -> g.Graph:
    def smaller(block: g.Block, of: Of) -> g.Block | None:
        if isinstance(block, g.Linear) and block in found:
            return found[block].of_rank(block, rank, of)
        return None

    return replaced(graph, smaller)


def _product(block: g.Linear) -> _Product:
    """Return the weights of a block, with those of the block before where nothing is between."""
    before = block.of
    if isinstance(before, g.Linear) and not before.exact and not before.bias.any():
        return _Product(before.of, (block.weights, before.weights))
    return _Product(before, (block.weights,))


def _decomposed(product: _Product) -> _Factors:
    from scipy.sparse.linalg import aslinearoperator, svds

    operators: list[Any] = [aslinearoperator(matrix) for matrix in product.matrices]
    whole = reduce(matmul, operators)
    least = min(product.shape)
    rank = min(RANKS[0], least - 1)
    left, values, right = svds(whole, k=rank, v0=np.ones(least))
    order = np.argsort(-values)
    root = np.sqrt(values[order])
    return _Factors(product, left[:, order] * root, root[:, None] * right[order])
