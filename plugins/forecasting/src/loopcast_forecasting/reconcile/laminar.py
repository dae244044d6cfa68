"""Sparse structure of a summing matrix: each aggregate as the sum of its children.

Two aggregates are *nested* when one contains the other and *crossing* when they share bottom
series without that. A family without crossings is laminar: it is a forest, and each of its nodes
is the sum of its children. Crossing aggregates are put into different families, each a forest
over the same bottom series.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array

from loopcast_forecasting.reconcile._types import BoolArray, FloatArray, IntArray, SparseArray

WEIGHT_TOLERANCE = 1e-13


def child_sums(summing: SparseArray, aggregates: IntArray, bottom: IntArray) -> SparseArray:
    """Constraint of every aggregate on its children.

    Returns
    -------
    csr_array, shape (n_aggregates, n_nodes)
        Row j holds the weights with which the children of aggregate j add up to it.
    """
    rows = summing[aggregates]
    above, below, nested = _overlaps(rows)
    family = _families(rows.shape[0], above[~nested], below[~nested])
    parent = _parents(rows, family, above[nested], below[nested])
    edges = _edge_weights(rows, parent)
    return _assemble(rows, edges, aggregates, bottom, summing.shape[0])


def _overlaps(rows: SparseArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Pairs of aggregates that share bottom series, the larger first, and which are nested."""
    pattern = _pattern(rows)
    shared = coo_array(pattern @ pattern.T)
    first, second = (axis.astype(np.int64) for axis in shared.coords)
    size = np.diff(rows.indptr)
    larger = (size[first] > size[second]) | ((size[first] == size[second]) & (first < second))
    above, below = first[larger], second[larger]
    return above, below, shared.data[larger] == size[below]


def _pattern(rows: SparseArray) -> SparseArray:
    return csr_array((np.ones_like(rows.data), rows.indices, rows.indptr), shape=rows.shape)


def _families(n_rows: int, above: IntArray, below: IntArray) -> IntArray:
    """Greedy colouring of the crossing pairs in row order: no family has a crossing in it."""
    family = np.zeros(n_rows, dtype=np.int64)
    late, early = np.maximum(above, below), np.minimum(above, below)
    order = np.argsort(late, kind="stable")
    nodes, starts = np.unique(late[order], return_index=True)
    for node, rivals in zip(nodes, np.split(early[order], starts[1:]), strict=False):
        taken = np.unique(family[rivals])
        free = np.flatnonzero(taken != np.arange(taken.size))
        family[node] = free[0] if free.size else taken.size
    return family


def _parents(rows: SparseArray, family: IntArray, above: IntArray, below: IntArray) -> IntArray:
    """Smallest aggregate of the same family that contains each aggregate; -1 for a root."""
    same = family[above] == family[below]
    return _smallest(np.diff(rows.indptr), above[same], below[same], rows.shape[0])


def _smallest(size: IntArray, above: IntArray, below: IntArray, n_items: int) -> IntArray:
    order = np.lexsort((-above, size[above], below))
    item, first = np.unique(below[order], return_index=True)
    parent = np.full(n_items, -1, dtype=np.int64)
    parent[item] = above[order][first]
    return parent


def _edge_weights(rows: SparseArray, parent: IntArray) -> SparseArray:
    """Weights of aggregates in their parents, without the edges that are not proportional.

    An edge stands only if the parent's weights on the child's bottom series are one multiple of
    the child's own; else the parent adds up those bottom series directly.
    """
    child = np.flatnonzero(parent >= 0)
    weight = np.ones(child.size)
    if child.size and not np.all(rows.data == 1.0):
        weight, proportional = _proportions(rows, parent, child)
        child, weight = child[proportional], weight[proportional]
    return csr_array((weight, (parent[child], child)), shape=(rows.shape[0],) * 2)


def _proportions(
    rows: SparseArray, parent: IntArray, child: IntArray
) -> tuple[FloatArray, BoolArray]:
    size = np.diff(rows.indptr)
    owner = np.repeat(np.arange(rows.shape[0]), size)
    keys = owner * rows.shape[1] + rows.indices
    entry = np.flatnonzero(parent[owner] >= 0)
    above = np.searchsorted(keys, parent[owner[entry]] * rows.shape[1] + rows.indices[entry])
    ratio = rows.data[above] / rows.data[entry]
    first = np.cumsum(size[child]) - size[child]
    weight = ratio[first]
    off = np.abs(ratio - np.repeat(weight, size[child])) > WEIGHT_TOLERANCE * np.abs(ratio)
    return weight, ~np.logical_or.reduceat(off, first)


def _assemble(
    rows: SparseArray, edges: SparseArray, aggregates: IntArray, bottom: IntArray, n_nodes: int
) -> SparseArray:
    """Child aggregates, and the bottom series that no child aggregate covers."""
    covered = _pattern(edges) @ _pattern(rows)
    covered.data[:] = 1.0
    direct = coo_array(rows - rows.multiply(covered))
    inner = coo_array(edges)
    parent = np.concatenate([inner.coords[0], direct.coords[0]])
    child = np.concatenate([aggregates[inner.coords[1]], bottom[direct.coords[1]]])
    weight = np.concatenate([inner.data, direct.data])
    return csr_array((weight, (parent, child)), shape=(rows.shape[0], n_nodes))
