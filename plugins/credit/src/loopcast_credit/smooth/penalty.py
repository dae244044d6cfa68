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
class Penalty:
    """A quadratic penalty on some coefficients, of full rank.

    Attributes
    ----------
    places : ndarray, shape (k,)
        The coefficients.
    matrix : ndarray, shape (k, k)
    """

    places: NDArray[np.int64]
    matrix: NDArray[np.float64]


def penalties(bins: Sequence[Bins]) -> list[Penalty]:
    """Return a penalty for the body of each characteristic, and one for all other bins together.

    Intervals are held to their neighbours, groups of categories to zero. Bins such as *missing*
    are too few to say how large they are, so those of all characteristics say it together.
    """
    found: list[Penalty] = []
    others: list[NDArray[np.int64]] = []
    start = 1
    for one in bins:
        matrix = _differences(one.body) if one.ordered else np.eye(one.body)
        if one.body:
            found.append(Penalty(np.arange(start, start + one.body), matrix))
        others.append(np.arange(start + one.body, start + one.size))
        start += one.size
    rest = np.concatenate(others)
    return [*found, Penalty(rest, np.eye(len(rest)))]


def _differences(size: int) -> NDArray[np.float64]:
    first = np.diff(np.eye(size), axis=0)
    return np.asarray(first.T @ first + LEVEL * np.eye(size))


def total_penalty(
    parts: Sequence[Penalty], strength: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return the sum of the penalties, shape (size, size)."""
    total = np.zeros((size, size))
    for part, factor in zip(parts, strength, strict=True):
        total[np.ix_(part.places, part.places)] = factor * part.matrix
    return total


def freedom(
    parts: Sequence[Penalty], strength: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the effective degrees of freedom that each penalty leaves, shape (penalties,)."""
    traces = [np.sum(covariance[np.ix_(p.places, p.places)] * p.matrix) for p in parts]
    ranks = np.array([len(part.places) for part in parts], np.float64)
    return np.clip(ranks - strength * np.array(traces), 0.0, ranks)


def next_strength(
    parts: Sequence[Penalty], left: NDArray[np.float64], beta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Raise the marginal likelihood of the strengths.

    Source: S. N. Wood and M. Fasiolo, A generalized Fellner-Schall method for smoothing
    parameter optimization, Biometrics 73 (2017), formula 4, where no two penalties overlap.

    Parameters
    ----------
    left : ndarray, shape (penalties,)
        Effective degrees of freedom.
    beta : ndarray, shape (coefficients,)
    """
    sizes = [beta[part.places] @ part.matrix @ beta[part.places] for part in parts]
    return np.clip(left / np.maximum(sizes, 1e-12), LEAST, MOST)
