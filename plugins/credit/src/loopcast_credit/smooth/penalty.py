"""Penalties that keep neighbouring bins alike, and how strong the data says they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_credit.bins.bins import Bins

LEVEL = 0.05
"""Weight of a bin's own size beside its difference from the next one."""

START, LEAST, MOST = 10.0, 1e-2, 1e7
"""Strength of a penalty at first, and its limits."""


@dataclass(frozen=True, eq=False)
class Penalties:
    """Quadratic penalties, each of full rank on coefficients of its own.

    Attributes
    ----------
    matrix : ndarray, shape (coefficients, coefficients)
        Of all penalties at strength one; zero for the intercept.
    owner : ndarray, shape (coefficients,)
        The penalty of each coefficient. The intercept's is the first, which asks nothing of it.
    ranks : ndarray, shape (penalties,)
        Number of coefficients of each penalty.
    """

    matrix: NDArray[np.float64]
    owner: NDArray[np.intp]
    ranks: NDArray[np.float64]

    def total(self, strength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the penalties, shape (coefficients, coefficients)."""
        return np.asarray(self.matrix * strength[self.owner][:, None])

    def by_penalty(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each coefficient by penalty, shape (penalties,)."""
        return np.bincount(self.owner, each, minlength=len(self.ranks)).astype(np.float64)


def penalties(bins: Sequence[Bins]) -> Penalties:
    """Return a penalty for the body of each characteristic, and one for all other bins together.

    Intervals are held to their neighbours, groups of categories to zero. Bins such as *missing*
    are too few to say how large they are, so those of all characteristics say it together.
    """
    matrix = np.eye(1 + sum(one.size for one in bins))
    matrix[0, 0] = 0.0
    owner = np.full(len(matrix), len(bins))
    owner[0] = 0
    start = 1
    for at, one in enumerate(bins):
        body = slice(start, start + one.body)
        owner[body] = at
        if one.ordered:
            matrix[body, body] = _differences(one.body)
        start += one.size
    ranks = np.bincount(owner[1:], minlength=len(bins) + 1).astype(np.float64)
    return Penalties(matrix, owner, ranks)


def _differences(size: int) -> NDArray[np.float64]:
    first = np.diff(np.eye(size), axis=0)
    return np.asarray(first.T @ first + LEVEL * np.eye(size))


def next_strength(
    parts: Penalties,
    strength: NDArray[np.float64],
    covariance: NDArray[np.float64],
    beta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Raise the marginal likelihood of the strengths.

    Source: S. N. Wood and M. Fasiolo, A generalized Fellner-Schall method for smoothing
    parameter optimization, Biometrics 73 (2017), formula 4, where no two penalties overlap.

    Parameters
    ----------
    strength : ndarray, shape (penalties,)
    covariance : ndarray, shape (coefficients, coefficients)
        Of which the upper triangle is looked at.
    beta : ndarray, shape (coefficients,)

    Returns
    -------
    ndarray, shape (penalties,)
    """
    upper = np.triu(covariance) * parts.matrix
    traces = parts.by_penalty(2.0 * upper.sum(axis=1) - upper.diagonal())
    left = np.clip(parts.ranks - strength * traces, 0.0, parts.ranks)
    sizes = parts.by_penalty(beta * (parts.matrix @ beta))
    return np.clip(left / np.maximum(sizes, 1e-12), LEAST, MOST)
