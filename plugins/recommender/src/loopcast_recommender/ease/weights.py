"""The weights of EASE in closed form, in the space of items or of entities, whichever is smaller.

With X the choices of entities by items and P = (XᵀX + λI)⁻¹, the weights are B = I − P diag(P)⁻¹,
with which the scores are H B for histories H. Source: H. Steck (2019), Embarrassingly shallow
autoencoders for sparse data, WWW '19, formula 8. With K = (XXᵀ + λI)⁻¹, the same P is
(I − Xᵀ K X) / λ by the identity of Woodbury, so that no matrix of items by items is ever made
where entities are fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from loopcast.api import Files
from loopcast_recommender.ease.inverse import diagonal, inverted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api.graph import Block

    Floats32 = NDArray[np.float32]


_SMALL = 1_000_000
"""Cells below which a product of dense matrices is faster than one of sparse ones."""


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """B itself, shape (items, items)."""

    matrix: Floats32

    def score(self, history: sparse.csr_array) -> Floats32:
        """Return H B."""
        return np.asarray(history @ self.matrix, dtype=np.float32)

    def block(self, chosen: Block) -> Block:
        """Return the same as a block of a graph."""
        from loopcast_recommender.portable.scores import product_with

        return product_with(chosen, self.matrix)

    def save(self) -> Files:
        """Return nothing: the weights follow from the choices."""
        return {}


@dataclass(frozen=True, eq=False)
class EntityWeights:
    """B by the entities that it was learned from.

    Attributes
    ----------
    choices : csr_array, shape (entities, items)
        X.
    kernel : ndarray, shape (entities, items)
        K X.
    scale : ndarray, shape (items,)
        1 / (λ diag P).
    """

    choices: sparse.csr_array
    kernel: Floats32
    scale: Floats32

    def score(self, history: sparse.csr_array) -> Floats32:
        """Return H − (H − H Xᵀ K X) / (λ diag P)."""
        shared = np.asarray((history @ self.choices.T).todense(), dtype=np.float32)
        own = history.toarray()
        return np.asarray(own - (own - shared @ self.kernel) * self.scale, dtype=np.float32)

    def block(self, chosen: Block) -> Block:
        """Return the same as a block of a graph."""
        from loopcast.api.graph import Constant, Product, Sum
        from loopcast_recommender.portable.scores import product_with

        shared = product_with(chosen, self.choices.T.toarray())
        own = Product(chosen, Constant(tuple((1.0 - self.scale).tolist())))
        return Sum((own, product_with(shared, self.kernel * self.scale)))

    def save(self) -> Files:
        """Return nothing: the weights follow from the choices."""
        return {}


Weights: TypeAlias = ItemWeights | EntityWeights


def solver(choices: sparse.csr_array) -> Callable[[float], Weights]:
    """Return what gives the weights of choices at a ridge.

    It raises ``ConvergenceError`` where a ridge is too small.

    Parameters
    ----------
    choices : csr_array, shape (entities, items)
        1 where an entity chose an item.
    """
    entities, items = choices.shape
    if items <= entities:
        own = _gram(choices)
        return lambda ridge: ItemWeights(weights_of(own, ridge))
    shared = _gram(choices.T.tocsr())
    return lambda ridge: _by_entities(choices, inverted(shared, ridge))


def _gram(choices: sparse.csr_array) -> Floats32:
    """Return XᵀX, whose counts single precision holds exactly."""
    if choices.shape[0] * choices.shape[1] <= _SMALL:
        dense = choices.toarray()
        return np.asarray(dense.T @ dense)
    return np.asarray((choices.T @ choices).toarray())


def _by_entities(choices: sparse.csr_array, inverse: NDArray[np.floating]) -> EntityWeights:
    kernel = inverse @ choices
    explained = np.asarray(choices.multiply(kernel).sum(axis=0)).ravel()
    return EntityWeights(
        choices=choices,
        kernel=np.asarray(kernel, dtype=np.float32),
        scale=(1.0 / (1.0 - explained)).astype(np.float32),
    )


def weights_of(gram: Floats32, ridge: float) -> Floats32:
    """Return I − P diag(P)⁻¹: zero on the diagonal, so that no item foretells itself."""
    weights = inverted(gram, ridge)
    weights /= -np.diag(weights)
    diagonal(weights)[:] = 0.0
    return weights.astype(np.float32, copy=False)
