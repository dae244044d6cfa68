"""Draws from the posterior of a factor model of ratings.

A rating is μ + b_u + c_i + p_u · q_i and noise. Biases and factors of the entities are normal with
a mean and precision of each dimension, which are drawn too, and so are those of the items; the
noise is normal. Each conditional is then a normal or a gamma distribution. Source: R. Salakhutdinov
and A. Mnih (2008), Bayesian probabilistic matrix factorization using Markov chain Monte Carlo,
ICML '08, sections 3.2 and 3.3, here with biases and with independent dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_recommender.ratings.hyperparameters import RatingParameters

    Floats = NDArray[np.float64]

_START = 0.1
"""Standard deviation of the factors that a chain begins with."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ratings:
    """Ratings of one side's rows by the columns of the other side.

    Attributes
    ----------
    count, total : csr_array, shape (rows, columns)
        How often, and the sum of the ratings.
    """

    count: sparse.csr_array
    total: sparse.csr_array

    def turned(self) -> Ratings:
        """Return the same by the other side."""
        return Ratings(count=self.count.T.tocsr(), total=self.total.T.tocsr())


def posterior(
    row: NDArray[Any],
    column: NDArray[Any],
    value: Floats,
    shape: tuple[int, int],
    *,
    p: RatingParameters,
    rng: np.random.Generator,
) -> Iterator[tuple[Floats, Floats]]:
    """Yield draws of both sides, each with its bias as the last column.

    Parameters
    ----------
    row, column, value : ndarray, shape (ratings,)
        Who rated what, with mean zero.

    Yields
    ------
    entities, items : ndarray, shapes (n, factors + 1) and (m, factors + 1)
    """
    by_entity = Ratings(
        count=sparse.csr_array((np.ones(len(value)), (row, column)), shape=shape),
        total=sparse.csr_array((value, (row, column)), shape=shape),
    )
    by_item = by_entity.turned()
    entities, items = (rng.normal(0.0, _START, (size, p.factors + 1)) for size in shape)
    precision = 1.0 / max(float(value.var()), 1e-12)
    for sweep in range(p.burn_in + p.draws * p.every):
        entities = _side(by_entity, items, entities, precision, rng)
        items = _side(by_item, entities, items, precision, rng)
        error = value - rated(entities, items, row, column)
        precision = float(rng.gamma((len(error) + 1) / 2, 2.0 / (error @ error + 1.0)))
        if sweep >= p.burn_in and (sweep - p.burn_in) % p.every == p.every - 1:
            yield entities, items


def rated(entities: Floats, items: Floats, row: NDArray[Any], column: NDArray[Any]) -> Floats:
    """Return biases plus products of factors for pairs, shape (pairs,)."""
    left, right = entities[row], items[column]
    found = np.einsum("ij,ij->i", left[:, :-1], right[:, :-1])
    return np.asarray(found + left[:, -1] + right[:, -1])


def _side(
    ratings: Ratings, other: Floats, before: Floats, noise: float, rng: np.random.Generator
) -> Floats:
    """Draw one side given the other: a linear regression for each of its rows."""
    mean, precision = _prior(before, rng)
    rows, width = before.shape
    inputs = np.column_stack([other[:, :-1], np.ones(len(other))])
    upper = np.triu_indices(width)
    products = ratings.count @ (inputs[:, upper[0]] * inputs[:, upper[1]])
    normal = np.empty((rows, width, width))
    normal[:, upper[0], upper[1]] = normal[:, upper[1], upper[0]] = noise * products
    normal[:, range(width), range(width)] += precision
    unexplained = ratings.total @ inputs - ratings.count @ (inputs * other[:, -1:])
    right = noise * unexplained + precision * mean
    factor = np.linalg.cholesky(normal)
    half = np.linalg.solve(factor, right[:, :, None])
    drawn = half + rng.normal(size=half.shape)
    return np.asarray(np.linalg.solve(factor.transpose(0, 2, 1), drawn)[:, :, 0])


def _prior(rows: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw mean and precision of each dimension, shape (dimensions,) each."""
    count, width = rows.shape
    spread = rows.std(axis=0) / np.sqrt(count)
    mean = rows.mean(axis=0) + rng.normal(size=width) * spread
    squares = ((rows - mean) ** 2).sum(axis=0)
    return mean, rng.gamma((count + 1) / 2, 2.0 / (squares + 1.0))
