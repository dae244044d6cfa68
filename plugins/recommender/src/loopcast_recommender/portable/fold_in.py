"""The factors of who has chosen some items, step by step, as a graph.

They solve (YᵀY + λI + Yᵀ(C − I)Y) x = YᵀC p (Hu, Koren & Volinsky 2008, formula 4) by conjugate
gradients, preconditioned by what does not depend on the choices (Y. Saad, Iterative Methods for
Sparse Linear Systems, 2nd edition (2003), algorithm 9.1): the rest has as many ranks as there are
choices, so that as many steps and one are exact, and far fewer enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import graph as g
from loopcast_recommender.portable.scores import product_with, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 10
LEAST = 1e-20  # divisor, where nothing is left to solve


def factors_of(
    chosen: g.Block, items: NDArray[np.float64], penalty: float, confidence: float
) -> g.Block:
    """Return the factors of each row, shape (rows, factors).

    Parameters
    ----------
    chosen
        A column for each item.
    items : ndarray, shape (items, factors)
        Y.
    """
    width = items.shape[1]
    gram = items.T @ items + penalty * np.eye(width)
    inverse = np.asarray(np.linalg.inv(gram), np.float64)
    more = g.Product(g.Constant((confidence - 1.0,)), chosen)

    def applied(x: g.Block) -> g.Block:
        own = product_with(g.Product(more, product_with(x, items.T)), items)
        return g.Sum((_exactly(x, gram), own))

    x: g.Block = g.Constant((0.0,) * width)
    rest = product_with(g.Product(g.Constant((confidence,)), chosen), items)
    direction = scaled = _exactly(rest, inverse)
    size = _inner(rest, scaled, width)
    for _ in range(STEPS):
        image = applied(direction)
        length = _ratio(size, _inner(direction, image, width))
        x = g.Sum((x, g.Product(length, direction)))
        back = g.Product(g.Constant((-1.0,)), g.Product(length, image))
        rest = g.Sum((rest, back))
        scaled = _exactly(rest, inverse)
        before, size = size, _inner(rest, scaled, width)
        direction = g.Sum((scaled, g.Product(_ratio(size, before), direction)))
    return x


def _exactly(of: g.Block, matrix: NDArray[np.float64]) -> g.Block:
    return g.Linear(of, matrix, np.zeros(len(matrix)), exact=True)


def _inner(first: g.Block, second: g.Block, width: int) -> g.Block:
    return total(g.Product(first, second), width)


def _ratio(first: g.Block, second: g.Block) -> g.Block:
    return g.Quotient(first, g.Clipped(second, LEAST, float("inf")))
