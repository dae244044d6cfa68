"""What a row counts that a draw of a known chance let in: more than itself.

A row that was accepted with probability 0.02 stands for fifty. Judged by the full inverse of the
chance, results are those of all who applied. Learned by it, a few rows would outweigh all others:
what they add in truth they take many times over in noise. Where the features explain who was
accepted, a model needs no weights at all; where they do not, it needs them in full. Half way, on
the scale of logarithms, is good in both cases.

Sources: D. G. Horvitz and D. J. Thompson (1952), A generalization of sampling without replacement
from a finite universe, JASA 47; H. Shimodaira (2000), Improving predictive inference under
covariate shift by weighting the log-likelihood function, Journal of Statistical Planning and
Inference 90, section 2, whose λ is :data:`TEMPER`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import ScoreData

TEMPER = 0.5
"""Power of the inverse chance by which rows are learned from."""


def learning_weight(
    weight: NDArray[np.float64], chance: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return how much each row counts when a model learns, shape (rows,).

    Parameters
    ----------
    weight : ndarray, shape (rows,)
        As the table has it.
    chance : ndarray, shape (rows,), or None
        Probability with which each row was accepted.
    """
    return weight if chance is None else weight * chance**-TEMPER


def judging_weight(data: ScoreData) -> NDArray[np.float64]:
    """Return how much each row counts when a model is judged, shape (rows,)."""
    if data.chance is None:
        return data.weight
    return np.asarray(data.weight * data.chance ** (TEMPER - 1.0))
