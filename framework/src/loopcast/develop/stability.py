"""How far counts have moved, as credit risk measures it: for checks of data and for drift alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING = 0.5
"""Of a row, added to each part, so that an empty one is no infinity."""


def stability(reference: NDArray[np.float64], recent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the population stability index Σ (q − p) ln(q / p) over the last axis.

    Source: N. Siddiqi (2006), Credit Risk Scorecards, chapter 8.

    Parameters
    ----------
    reference, recent : ndarray, shape (…, parts)
        Rows in each part; what is empty in both is no part.

    Examples
    --------
    >>> stability(np.array([50.0, 50.0, 0.0]), np.array([50.0, 50.0, 0.0])).item()
    0.0
    >>> round(stability(np.array([600.0, 400.0]), np.array([400.0, 600.0])).item(), 3)
    0.162
    """
    there = (reference + recent) > 0
    p, q = (_shares(np.where(there, counts + SMOOTHING, 0.0)) for counts in (reference, recent))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(there, (q - p) * np.log(q / p), 0.0)
    return np.asarray(terms.sum(axis=-1))


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0))
