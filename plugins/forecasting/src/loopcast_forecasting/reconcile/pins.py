"""Pinned nodes that other pinned nodes determine already.

A schedule may pin a region, its hours and their day at once. Such sums repeat one another, which
would make the equations singular: the repeated ones are left free, follow from the others, and are
checked to agree.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from loopcast_forecasting.reconcile._types import BoolArray, IntArray, SparseArray

RANK_TOLERANCE = 1e-9
CLASH_TOLERANCE = 1e-9


def repeated(sums: SparseArray, pinned: BoolArray, fixed: BoolArray) -> IntArray:
    """Find pinned aggregates that are combinations of other pinned nodes.

    Rank is decided by Cholesky's factorisation with pivoting of the Gram matrix of the pinned rows,
    scaled, on bottom series that are not pinned themselves (Higham 2002, section 10.3).

    Parameters
    ----------
    sums : csr_array, shape (n_aggregates, n_bottom)
    pinned : bool array, shape (n_aggregates,)
    fixed : bool array, shape (n_bottom,)
        Bottom series that are pinned.

    Returns
    -------
    int64 array
        Positions of repeated aggregates.
    """
    at = np.flatnonzero(pinned).astype(np.int64)
    if not at.size:
        return at
    rows = sums[at][:, np.flatnonzero(~fixed)]
    gram = (rows @ rows.T).toarray()
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    gram /= np.outer(size, size)
    _, order, rank, _ = lapack.dpstrf(gram, tol=RANK_TOLERANCE)
    return np.sort(at[order[rank:] - 1])


def pin_clash(rows: IntArray) -> str:
    """Message for pinned nodes that contradict others."""
    return (
        f"{rows.size} pinned nodes differ from the sum of nodes pinned below them, first node "
        f"{rows[0]}; give schedules that add up and keep within the bounds, or leave the sums "
        "unpinned"
    )
