"""Summing matrices of the usual hierarchies: trees, crossed groupings, time, and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array, kron

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import FloatArray, IntArray, SparseArray
from loopcast_forecasting.reconcile.hierarchy import Hierarchy


def tree(parent: ArrayLike) -> Hierarchy:
    """Build a tree, or several, from parent pointers.

    Parameters
    ----------
    parent : int array, shape (n_nodes,)
        Node that each node adds up to; -1 for a root. Branches may end at different depths and
        nodes may be in any order. Nodes that are nobody's parent are the bottom series, in
        order.

    Raises
    ------
    DataError
        If a pointer is out of range, or pointers form a cycle.

    Examples
    --------
    >>> tree([-1, 0, 0, 1, 1]).summing.toarray()
    array([[1., 1., 1.],
           [0., 1., 1.],
           [1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    up = np.asarray(parent, dtype=np.int64)
    _check_parents(up)
    has_child = np.bincount(up[up >= 0], minlength=up.size) > 0
    bottom = np.flatnonzero(~has_child).astype(np.int64)
    aggregates = np.flatnonzero(has_child).astype(np.int64)
    position = np.cumsum(has_child) - 1
    child = np.flatnonzero(up >= 0)
    children = csr_array(
        (np.ones(child.size), (position[up[child]], child)), shape=(aggregates.size, up.size)
    )
    return Hierarchy(_tree_sums(up, bottom), bottom, aggregates, children)


def crossed(labels: Sequence[ArrayLike], *, total: bool = True) -> SparseArray:
    """Build groupings that may cross, from the labels of the bottom series.

    Parameters
    ----------
    labels : sequence of arrays, shape (n_bottom,) each
        One array a grouping; each distinct label is an aggregate. For cells of two groupings pass
        the labels of the cells.
    total : bool
        Whether the sum of all comes first.

    Returns
    -------
    csr_array, shape (n_nodes, n_bottom)
        The total, then the groupings in the order given, each by sorted label, then the bottom
        series.

    Examples
    --------
    >>> crossed([["n", "n", "s"], ["a", "b", "a"]], total=False).toarray()[:4]
    array([[1., 1., 0.],
           [0., 0., 1.],
           [1., 0., 1.],
           [0., 1., 0.]])
    """
    codes = [_codes(label) for label in labels]
    count = codes[0].size if codes else 0
    for index, code in enumerate(codes):
        if code.shape != (count,):
            raise DataError(
                f"grouping {index} has labels of shape {code.shape}; expected ({count},), one for "
                "each bottom series"
            )
    return _grouped([*([np.zeros(count, dtype=np.int64)] if total else []), *codes], count)


def temporal(
    levels: Sequence[int | ArrayLike], n_steps: int, *, how: Literal["sum", "mean"] = "sum"
) -> SparseArray:
    """Build temporal aggregation over a horizon.

    Parameters
    ----------
    levels : sequence of int or array
        The coarsest first. A number is a length in steps that divides `n_steps`; an array, shape
        (n_steps,), labels each step with its period, which allows days of 46 and 50 half-hours.
    n_steps : int
        Number of steps of the finest series.
    how : "sum" or "mean"
        Energy adds up; power in MW is averaged.

    Returns
    -------
    csr_array, shape (n_nodes, n_steps)
        Levels in the order given, each by sorted label, then the steps.

    Examples
    --------
    >>> temporal([4, 2], 4, how="mean").toarray()[:3]
    array([[0.25, 0.25, 0.25, 0.25],
           [0.5 , 0.5 , 0.  , 0.  ],
           [0.  , 0.  , 0.5 , 0.5 ]])
    """
    codes = [_periods(level, n_steps) for level in levels]
    summing = _grouped(codes, n_steps)
    if how == "mean":
        size = np.diff(summing.indptr)
        summing.data = summing.data / np.repeat(size, size)
    return summing


def cross_temporal(space: SparseArray | Hierarchy, time: SparseArray | Hierarchy) -> SparseArray:
    """Build the product of a hierarchy of series and one of time.

    Returns
    -------
    csr_array, shape (n_space * n_time, bottom of both multiplied)
        Node ``i * n_time + j`` is node i of `space` at node j of `time`, so that forecasts of shape
        (n_space, n_time) are its nodes when flattened.
    """
    left, right = (_summing(side) for side in (space, time))
    return csr_array(kron(left, right, format="csr"))


def _summing(side: SparseArray | Hierarchy) -> SparseArray:
    return side.summing if isinstance(side, Hierarchy) else side


def _check_parents(parent: IntArray) -> None:
    bad = np.flatnonzero((parent < -1) | (parent >= parent.size))
    if bad.size:
        raise DataError(
            f"{bad.size} parents are out of range, first that of node {bad[0]} ({parent[bad[0]]}); "
            f"give a node from 0 to {parent.size - 1}, or -1 for a root"
        )
    ahead = parent
    for _ in range(int(parent.size).bit_length() + 1):
        ahead = np.where(ahead >= 0, ahead[ahead], -1)
    cycle = np.flatnonzero(ahead >= 0)
    if cycle.size:
        raise DataError(
            f"following the parents of {cycle.size} nodes never ends, first node {cycle[0]}; "
            "parents must lead to a root, whose parent is -1"
        )


def _tree_sums(parent: IntArray, bottom: IntArray) -> SparseArray:
    rows, columns = [bottom], [np.arange(bottom.size)]
    while rows[-1].size:
        above = parent[rows[-1]]
        inside = above >= 0
        rows.append(above[inside])
        columns.append(columns[-1][inside])
    row, column = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(row.size), (row, column)), shape=(parent.size, bottom.size))


def _codes(labels: ArrayLike) -> IntArray:
    array = np.asarray(labels)
    return np.unique(array, return_inverse=True)[1].astype(np.int64).reshape(array.shape)


def _periods(level: int | ArrayLike, n_steps: int) -> IntArray:
    if isinstance(level, int):
        if level < 1 or n_steps % level:
            raise DataError(
                f"a period of {level} steps does not divide the horizon of {n_steps} steps; give "
                "a divisor, or the label of each step's period"
            )
        return np.arange(n_steps) // level
    codes = _codes(level)
    if codes.shape != (n_steps,):
        raise DataError(f"period labels have shape {codes.shape}; expected ({n_steps},)")
    return codes


def _grouped(codes: Sequence[IntArray], count: int) -> SparseArray:
    """Indicator rows of each grouping, then the identity."""
    groups = [*codes, np.arange(count)]
    sizes = [int(code.max(initial=-1)) + 1 for code in groups]
    starts = np.cumsum([0, *sizes])
    row = np.concatenate([code + start for code, start in zip(groups, starts, strict=False)])
    column = np.tile(np.arange(count), len(groups))
    values: FloatArray = np.ones(row.size)
    return csr_array(coo_array((values, (row, column)), shape=(int(starts[-1]), count)))
