"""A hierarchy: which nodes are weighted sums of which bottom series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import FloatArray, IntArray, SparseArray, product
from loopcast_forecasting.reconcile.laminar import child_sums

BLOCK_VALUES = 2**20  # values looked at together, so that large panels need little memory


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A summing matrix and its sparse form by parent and child.

    Attributes
    ----------
    summing : csr_array, shape (n_nodes, n_bottom)
        ``y = summing @ bottom``: every coherent vector is one of these.
    bottom : int64 array, shape (n_bottom,)
        Row of each bottom series among the nodes.
    aggregates : int64 array, shape (n_aggregates,)
        Rows of all other nodes, ascending.
    children : csr_array, shape (n_aggregates, n_nodes)
        Every aggregate as a weighted sum of its children, which are aggregates or bottom
        nodes: the same constraints as `summing` with far fewer entries.
    """

    summing: SparseArray
    bottom: IntArray
    aggregates: IntArray
    children: SparseArray

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.summing.shape[0])

    @property
    def is_forest(self) -> bool:
        """Whether no node has two parents, so that elimination needs no factorisation."""
        parents = np.bincount(self.children.indices, minlength=self.n_nodes)
        return int(parents.max(initial=0)) <= 1


def as_hierarchy(summing: SparseArray | Hierarchy, bottom: IntArray | None = None) -> Hierarchy:
    """Find the structure of a summing matrix.

    Parameters
    ----------
    summing : csr_array, shape (n_nodes, n_bottom)
        Nodes in any order; entries are weights of any sign (1 for a sum, 1/2 for the mean of
        two half-hours). A `Hierarchy` is returned as it is.
    bottom : int64 array, shape (n_bottom,), optional
        Row of each bottom series. Found when not given: the last row whose only entry is a 1
        in that column (an aggregate of a single child has such a row too; either may serve,
        since both hold the same quantity).

    Raises
    ------
    DataError
        If a bottom series has no row of its own, or `summing` is not finite.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> tree = as_hierarchy(csr_array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> tree.bottom, tree.aggregates, tree.is_forest
    (array([1, 2]), array([0]), True)
    """
    if isinstance(summing, Hierarchy):
        return summing
    matrix = _canonical(summing)
    rows = _find_bottom(matrix) if bottom is None else _check_bottom(matrix, bottom)
    is_aggregate = np.ones(matrix.shape[0], dtype=bool)
    is_aggregate[rows] = False
    aggregates = np.flatnonzero(is_aggregate).astype(np.int64)
    return Hierarchy(matrix, rows, aggregates, child_sums(matrix, aggregates, rows))


def coherence_error(
    hierarchy: SparseArray | Hierarchy, values: FloatArray, bottom: IntArray | None = None
) -> float:
    """Largest distance of a node from the sum of its bottom series, relative to its terms.

    Parameters
    ----------
    hierarchy : csr_array or Hierarchy
    values : float array, shape (n_nodes,) or (n_nodes, k)

    Returns
    -------
    float
        The largest ``|y - S b| / (|S| |b|)`` over nodes and columns, infinite where all terms are
        zero and the node is not. A gap below the spacing of floating-point numbers at the column's
        largest value counts as none. NaN when a value is NaN.
    """
    tree = as_hierarchy(hierarchy, bottom)
    y = np.asarray(values, dtype=np.float64).reshape(tree.n_nodes, -1)
    size = abs(tree.summing)
    width = max(1, BLOCK_VALUES // tree.n_nodes)
    return max(
        (_coherence(tree, size, y[:, at : at + width]) for at in range(0, y.shape[1], width)),
        default=0.0,
    )


def _coherence(tree: Hierarchy, size: SparseArray, values: FloatArray) -> float:
    bottom = values[tree.bottom]
    gap = np.abs(product(tree.summing, bottom) - values)
    gap[gap <= np.spacing(np.abs(values).max(axis=0, initial=0.0))] = 0.0
    scale = product(size, np.abs(bottom))
    error = np.divide(gap, scale, out=np.where(gap > 0, np.inf, gap), where=scale > 0)
    return float(error.max(initial=0.0))


def _canonical(summing: SparseArray) -> SparseArray:
    matrix: SparseArray = csr_array(summing).astype(np.float64, copy=False)
    if not matrix.has_canonical_format or not matrix.data.all():
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    if not np.isfinite(matrix.data).all():
        raise DataError("the summing matrix has entries that are not finite; give finite weights")
    return matrix


def _find_bottom(matrix: SparseArray) -> IntArray:
    entries = np.diff(matrix.indptr)
    single = np.flatnonzero(entries == 1)
    single = single[matrix.data[matrix.indptr[single]] == 1.0]
    rows = np.full(matrix.shape[1], -1, dtype=np.int64)
    rows[matrix.indices[matrix.indptr[single]]] = single
    missing = np.flatnonzero(rows < 0)
    if missing.size:
        raise DataError(
            f"{missing.size} bottom series of the summing matrix have no node of their own, "
            f"first column {missing[0]}; each needs a row whose only entry is a 1"
        )
    return rows


def _check_bottom(matrix: SparseArray, bottom: IntArray) -> IntArray:
    rows = np.asarray(bottom, dtype=np.int64)
    picked = matrix[rows] if rows.shape == (matrix.shape[1],) else None
    own = picked is not None and bool(
        np.array_equal(picked.indices, np.arange(rows.size)) and np.all(picked.data == 1.0)
    )
    if not own:
        raise DataError(
            f"bottom must name {matrix.shape[1]} rows of the summing matrix, in the order of its "
            "columns, that have a single entry 1 in that column"
        )
    return rows
