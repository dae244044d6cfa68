"""Alternating least squares for implicit feedback, by the library ``implicit``.

Source: Y. Hu, Y. Koren and C. Volinsky (2008), Collaborative filtering for implicit feedback
datasets, ICDM '08. The library fits the factors of items; those of an entity follow from its
history by formula 4, so that new entities and new choices are answered without a new fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from loopcast.api import PluginError, npz_bytes, read_npz
from loopcast_recommender.history.method import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Files
    from loopcast.api.graph import Block

_FILE = "factors.npz"


class Factors(msgspec.Struct, frozen=True):
    """What a fit was told."""

    factors: int
    penalty: float
    confidence: float
    iterations: int


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemFactors:
    """Fitted factors.

    Attributes
    ----------
    items : ndarray, shape (items, factors), float32
        Y.
    """

    items: NDArray[np.float32]
    option: Factors

    def score(self, history: sparse.csr_array) -> NDArray[np.float32]:
        """Return X Yᵀ with the factors X that the histories give."""
        return np.asarray(self._entities(history) @ self.items.T, dtype=np.float32)

    def _entities(self, history: sparse.csr_array) -> NDArray[np.float64]:
        """Solve (YᵀY + Yᵀ(C − I)Y + λI) x = YᵀC p for each history."""
        y = self.items.astype(np.float64)
        count, width = y.shape
        weight = history.astype(np.float64)
        pairs = (y[:, :, None] * y[:, None, :]).reshape(count, width * width)
        own = np.asarray((weight * (self.option.confidence - 1.0)) @ pairs)
        normal = y.T @ y + self.option.penalty * np.eye(width)
        right = np.asarray((weight * self.option.confidence) @ y)
        left = own.reshape(-1, width, width) + normal
        return np.linalg.solve(left, right[:, :, None])[:, :, 0]

    def block(self, chosen: Block) -> Block:
        """Return the same as a block of a graph, the factors by a fixed number of steps."""
        from loopcast_recommender.portable.fold_in import factors_of
        from loopcast_recommender.portable.scores import product_with

        y, option = self.items.astype(np.float64), self.option
        return product_with(factors_of(chosen, y, option.penalty, option.confidence), y.T)

    def save(self) -> Files:
        """Return the factors."""
        return {_FILE: npz_bytes({"items": self.items})}


def fit_factors(choices: sparse.csr_array, option: Factors) -> ItemFactors:
    """Fit the factors of items; the start is drawn with a fixed seed.

    Linear algebra keeps to one thread, whatever the environment says: more of them slow this fit
    down many times, and the sums of each number of threads are others.

    Raises
    ------
    PluginError
        Where the library is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise PluginError(
            "recommender.als needs implicit: pip install 'loopcast-recommender[als]'"
        ) from None
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=option.factors,
            regularization=option.penalty,
            alpha=option.confidence,
            iterations=option.iterations,
            num_threads=1,
            use_cg=False,
            random_state=0,
        )
        model.fit(csr_matrix(choices, dtype=np.float32), show_progress=False)
    return ItemFactors(items=np.asarray(model.item_factors, dtype=np.float32), option=option)


def _load(files: Files, choices: sparse.csr_array, option: Factors) -> ItemFactors:
    return ItemFactors(items=read_npz(files[_FILE])["items"], option=option)


def _learn(choices: sparse.csr_array) -> Callable[[Factors], ItemFactors]:
    return partial(fit_factors, choices)


ALS = Method(option=Factors, learn=_learn, load=_load)
