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

START, LEAST, MOST = 100.0, 1e-2, 1e7
"""Strength of a penalty at first, and its limits."""


@dataclass(frozen=True, eq=False)
class Penalties:
    """Quadratic penalties, each of full rank on coefficients of its own.

    At strength one they are Σ level_i · β_i² + Σ link_i · (β_i − β_{i+1})².

    Attributes
    ----------
    level, link : ndarray, shape (coefficients,)
        Weight of each coefficient's own size, and of its difference from the next one; zero for
        the intercept.
    owner : ndarray, shape (coefficients,)
        The penalty of each coefficient. The intercept's is the first, which asks nothing of it.
    ranks : ndarray, shape (penalties,)
        Number of coefficients of each penalty.
    """

    level: NDArray[np.float64]
    link: NDArray[np.float64]
    owner: NDArray[np.intp]
    ranks: NDArray[np.float64]

    def total(self, strength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the penalties, shape (coefficients, coefficients)."""
        level, link = strength[self.owner] * (self.level, self.link)
        size = len(level)
        matrix = np.zeros((size, size))
        flat = matrix.reshape(-1)
        flat[:: size + 1] = level + link + np.roll(link, 1)
        flat[1 :: size + 1] = flat[size :: size + 1] = -link[:-1]
        return matrix

    def of(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each penalty at strength one, summed over columns of coefficients.

        Parameters
        ----------
        beta : ndarray, shape (coefficients, columns)

        Returns
        -------
        ndarray, shape (penalties,)
        """
        squares = self.level * np.einsum("ij,ij->i", beta, beta)
        steps = np.diff(beta, axis=0)
        squares[:-1] += self.link[:-1] * np.einsum("ij,ij->i", steps, steps)
        return np.bincount(self.owner, squares, minlength=len(self.ranks)).astype(np.float64)


def penalties(bins: Sequence[Bins]) -> Penalties:
    """Return a penalty for the body of each characteristic, and one for all other bins together.

    Intervals are held to their neighbours, groups of categories to zero. Bins such as *missing*
    are too few to say how large they are, so those of all characteristics say it together.
    """
    size = 1 + sum(one.size for one in bins)
    level, link, owner = np.ones(size), np.zeros(size), np.full(size, len(bins))
    level[0], owner[0] = 0.0, 0
    start = 1
    for at, one in enumerate(bins):
        end = start + one.body
        owner[start:end] = at
        if one.ordered:
            level[start:end] = LEVEL
            link[start : end - 1] = 1.0
        start += one.size
    ranks = np.bincount(owner[1:], minlength=len(bins) + 1).astype(np.float64)
    return Penalties(level, link, owner, ranks)


def next_strength(
    parts: Penalties,
    strength: NDArray[np.float64],
    root: NDArray[np.float64],
    beta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Raise the marginal likelihood of the strengths.

    Source: S. N. Wood and M. Fasiolo, A generalized Fellner-Schall method for smoothing
    parameter optimization, Biometrics 73 (2017), formula 4, where no two penalties overlap.

    Parameters
    ----------
    strength : ndarray, shape (penalties,)
    root : ndarray, shape (coefficients, coefficients)
        Whose product with its transpose is the covariance of the coefficients.
    beta : ndarray, shape (coefficients,)

    Returns
    -------
    ndarray, shape (penalties,)
    """
    left = np.clip(parts.ranks - strength * parts.of(root), 0.0, parts.ranks)
    return np.clip(left / np.maximum(parts.of(beta[:, None]), 1e-12), LEAST, MOST)
