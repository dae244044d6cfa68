"""Bands of a score, each of which has accepted applicants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def score_bands(
    everybody: NDArray[np.float64], known: NDArray[np.float64], bands: int
) -> NDArray[np.float64]:
    """Cut a score where equal numbers of applicants are between; a band without known ones joins.

    Parameters
    ----------
    everybody, known : ndarray, shape (n,)
        Scores of all applicants, and of those whose outcome is known.

    Returns
    -------
    ndarray, shape (bands - 1,) or less
        Ascending; a score on an edge is in the band above it.
    """
    edges = np.unique(np.quantile(everybody, np.arange(1, bands) / bands))
    while len(edges):
        counts = np.bincount(band_of(known, edges), minlength=len(edges) + 1)
        if counts.all():
            break
        empty = int(np.argmin(counts))
        edges = np.delete(edges, max(empty - 1, 0))
    return edges


def band_of(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the band of each score, shape (n,)."""
    return np.searchsorted(edges, scores, side="right")
