"""Whether entities are divided among the arms as they were meant to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

MISMATCH = 0.001
"""The p-value from where down the division counts as wrong."""


def mismatch(arm: NDArray[np.intp], weight: NDArray[np.float64], arms: int) -> float:
    """Return the p-value of the hypothesis that the arms have equal parts of the entities.

    Pearson's χ² test. A wrong division means that something decides about entities apart from
    chance, so that no difference between the arms can be trusted: A. Fabijan et al. (2019),
    Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Parameters
    ----------
    arm : ndarray, shape (n,)
    weight : ndarray, shape (n,)
        Inverse of the probability with which an entity was logged; unequal ones make the sample
        count as the smaller one that has the same variance (L. Kish 1965, Survey Sampling).

    Examples
    --------
    >>> arm = np.repeat([0, 1], [5000, 5300])
    >>> round(mismatch(arm, np.ones(10300), 2), 4)
    0.0031
    """
    if not len(arm):
        return 1.0
    counts = np.bincount(arm, weight, minlength=arms) * weight.sum() / (weight @ weight)
    expected = counts.sum() / arms
    return float(chdtrc(arms - 1, ((counts - expected) ** 2 / expected).sum()))
