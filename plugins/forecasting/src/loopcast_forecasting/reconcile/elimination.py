"""Reconciliation of a forest with diagonal variances, by two passes.

Upwards, every node gets the best estimate of itself from its own forecast and all below it;
downwards, what a node turned out to be is shared among its children in proportion to their
variances. That is block elimination of the normal equations in an order without fill (the
Rauch-Tung-Striebel smoother of a tree; Chou, Willsky and Benveniste 1994, section III), so it costs
O(n). Every step is a convex combination, which keeps it accurate whatever the ratio of variances,
0 (known exactly) and infinity (not forecast) included.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import FloatArray, IntArray, SparseArray, product
from loopcast_forecasting.reconcile.hierarchy import Hierarchy
from loopcast_forecasting.reconcile.pins import CLASH_TOLERANCE, pin_clash


class TreeSolver:
    """A forest's aggregates ordered by depth, so that each depth is a slice.

    Below, *position* counts aggregates in that order.
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        inner = hierarchy.children[:, hierarchy.aggregates].tocoo()
        parent = np.full(hierarchy.aggregates.size, -1, dtype=np.int64)
        parent[inner.coords[1]] = inner.coords[0]
        depth = _depths(parent)
        order = np.argsort(depth, kind="stable")
        position = np.empty_like(order)
        position[order] = np.arange(order.size)
        self.n_nodes = hierarchy.n_nodes
        self.order = order
        self.rows: IntArray = hierarchy.aggregates[order]
        ends = np.cumsum(np.bincount(depth)) if depth.size else np.zeros(0, dtype=np.int64)
        self.levels = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=False)]
        self.parent = np.where(parent[order] >= 0, position[parent[order]], -1)
        self.weight = np.ones(order.size)
        self.weight[position[inner.coords[1]]] = inner.data
        self.inner_sums = [
            _level_sum(self.parent, self.weight, above, level)
            for above, level in pairwise(self.levels)
        ]
        self.leaf_sum = _leaf_sums(hierarchy, order)
        leaves = self.leaf_sum.tocoo()
        self.leaf_parent, self.leaf = (axis.astype(np.int64) for axis in leaves.coords)
        self.leaf_weight = leaves.data

    def factor(self, variance: FloatArray) -> TreeProjection:
        """Pass the variances up the forest.

        Parameters
        ----------
        variance : float array, shape (n_nodes,)
            Each from 0 to infinity.

        Raises
        ------
        DataError
            If a node without information has no relative to infer it from.
        """
        own = variance[self.rows]
        below, unknown = self._below_leaves(variance)
        posterior = np.empty_like(own)
        for level in reversed(self.levels):
            infinite = unknown[level] > 0
            below[level][infinite] = np.inf
            posterior[level] = _combined(below[level], own[level])
            self._add_to_parents(level, posterior, below, unknown)
        self._check_known(variance, posterior, unknown)
        gain = self._gains(posterior, below, self.parent, self.weight)
        leaf_gain = self._gains(variance[self.leaf], below, self.leaf_parent, self.leaf_weight)
        share = _shares(below, own)
        return TreeProjection(self, variance, below, *share, gain, leaf_gain)

    def sums(self, values: FloatArray) -> FloatArray:
        """Return all aggregates as sums of the bottom series in values, by position."""
        result = product(self.leaf_sum, values)
        for depth in range(len(self.levels) - 1, 0, -1):
            inner = product(self.inner_sums[depth - 1], result[self.levels[depth]])
            result[self.levels[depth - 1]] += inner
        return result

    def _below_leaves(self, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        leaf = variance[self.leaf]
        infinite = np.isinf(leaf)
        finite = np.where(infinite, 0.0, leaf) * self.leaf_weight**2
        size = self.rows.size
        below = np.bincount(self.leaf_parent, finite, size).astype(np.float64)
        unknown = np.bincount(self.leaf_parent, infinite, size).astype(np.float64)
        return below, unknown

    def _add_to_parents(
        self, level: slice, posterior: FloatArray, below: FloatArray, unknown: FloatArray
    ) -> None:
        parent = self.parent[level]
        inner = parent >= 0
        known = np.isfinite(posterior[level])
        np.add.at(unknown, parent[inner & ~known], 1.0)
        use = inner & known
        np.add.at(below, parent[use], (self.weight[level] ** 2 * posterior[level])[use])

    def _gains(
        self, variance: FloatArray, below: FloatArray, parent: IntArray, weight: FloatArray
    ) -> FloatArray:
        """Share of a parent's surprise that goes to each child; all of it to an unknown child."""
        above = np.where(parent >= 0, below[parent], 0.0)
        gain = np.zeros_like(variance)
        usual = (above > 0) & np.isfinite(above)
        gain[usual] = weight[usual] * variance[usual] / above[usual]
        unknown = np.isinf(variance) & (parent >= 0)
        gain[unknown] = 1.0 / weight[unknown]
        return gain

    def _check_known(
        self, variance: FloatArray, posterior: FloatArray, unknown: FloatArray
    ) -> None:
        roots = self.rows[(self.parent < 0) & np.isinf(posterior)]
        torn = self.rows[unknown > 1]
        has_parent = np.zeros(self.n_nodes, dtype=bool)
        has_parent[self.leaf] = has_parent[self.rows] = True
        lone = np.flatnonzero(~has_parent & np.isinf(variance))
        bad = np.concatenate([roots, torn, lone])
        if bad.size:
            raise DataError(
                f"missing forecasts leave {bad.size} nodes undetermined, first node {bad[0]}: it "
                "has no forecast from above, or more than one child that nothing determines; "
                "forecast all of its children but one"
            )


@dataclass(frozen=True, eq=False)
class TreeProjection:
    """Variances passed up a forest; see `TreeSolver.factor`.

    Attributes
    ----------
    below : float array, shape (n_aggregates,)
        Variance of the sum of each aggregate's children, given all that is below it.
    trust, share : float array, shape (n_aggregates,)
        Weights of that sum and of the aggregate's own forecast in its estimate, adding up to 1.
    gain, leaf_gain : float array
        Change of a child for each unit of its parent's surprise.
    """

    solver: TreeSolver
    variance: FloatArray
    below: FloatArray
    trust: FloatArray
    share: FloatArray
    gain: FloatArray
    leaf_gain: FloatArray

    def apply(self, base: FloatArray) -> FloatArray:
        """Return the coherent forecasts nearest to base, shape (n_nodes, k)."""
        return self._spread(base, self._aggregates(base)[1])

    def solve(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return them with the pull of each aggregate on its children."""
        values, surprise = self._aggregates(base)
        pull = np.empty_like(surprise)
        pull[self.solver.order] = self._pull(base, values, surprise)
        return self._spread(base, surprise), pull

    def _spread(self, base: FloatArray, surprise: FloatArray) -> FloatArray:
        tree = self.solver
        spread = csr_array(
            (self.leaf_gain, (tree.leaf, tree.leaf_parent)), shape=(tree.n_nodes, tree.rows.size)
        )
        result = product(spread, surprise)
        result += base
        result[tree.rows] = tree.sums(result)
        return result

    def _pull(self, base: FloatArray, values: FloatArray, surprise: FloatArray) -> FloatArray:
        tree = self.solver
        stiff = self.below == 0  # all children are fixed: the pull comes from above
        pull = surprise / np.where(stiff, 1.0, self.below)[:, None]
        own = self.variance[tree.rows]
        tension = (values - base[tree.rows]) / np.where(own > 0, own, np.inf)[:, None]
        for level in tree.levels if stiff.any() else []:
            at = np.arange(level.start, level.stop)[stiff[level]]
            above = np.where(tree.parent[at, None] >= 0, pull[tree.parent[at]], 0.0)
            pull[at] = tree.weight[at, None] * above - tension[at]
        return pull

    def _aggregates(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Reconciled aggregates, and how far each is from the estimate of its children's sum."""
        tree = self.solver
        sums, estimate, gap = self._upwards(base)
        self._check_clash(sums, gap)
        surprise = self.share[:, None] * gap
        for level in tree.levels[1:]:
            shift = self.gain[level, None] * surprise[tree.parent[level]]
            estimate[level] += shift
            surprise[level] += shift
        return estimate, surprise

    def _upwards(self, base: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        tree = self.solver
        own = base[tree.rows]
        sums = product(tree.leaf_sum, base)
        estimate, gap = np.empty_like(sums), np.empty_like(sums)
        trust, share = self.trust[:, None], self.share[:, None]
        for depth in reversed(range(len(tree.levels))):
            level = tree.levels[depth]
            gap[level] = own[level] - sums[level]
            estimate[level] = trust[level] * sums[level] + share[level] * own[level]
            if depth:
                sums[tree.levels[depth - 1]] += product(tree.inner_sums[depth - 1], estimate[level])
        return sums, estimate, gap

    def _check_clash(self, sums: FloatArray, gap: FloatArray) -> None:
        tree = self.solver
        fixed = (self.variance[tree.rows] == 0) & (self.below == 0)
        off = np.abs(gap[fixed]) > CLASH_TOLERANCE * (np.abs(sums[fixed]) + np.abs(gap[fixed]))
        if off.any():
            raise DataError(pin_clash(tree.rows[fixed][off.any(axis=1)]))


def _depths(parent: IntArray) -> IntArray:
    """Distance of each node from its root, by pointer doubling."""
    depth = (parent >= 0).astype(np.int64)
    ahead = parent.copy()
    while (moving := ahead >= 0).any():
        depth[moving] += depth[ahead[moving]]
        ahead[moving] = ahead[ahead[moving]]
    return depth


def _level_sum(parent: IntArray, weight: FloatArray, above: slice, level: slice) -> SparseArray:
    """Sum from the aggregates of one depth to those of the depth above."""
    count = level.stop - level.start
    target = parent[level] - above.start
    return csr_array(
        (weight[level], (target, np.arange(count))), shape=(above.stop - above.start, count)
    )


def _leaf_sums(hierarchy: Hierarchy, order: IntArray) -> SparseArray:
    is_bottom = np.zeros(hierarchy.n_nodes, dtype=bool)
    is_bottom[hierarchy.bottom] = True
    entries = hierarchy.children[order].tocoo()
    keep = is_bottom[entries.coords[1]]
    row, column = (axis[keep] for axis in entries.coords)
    return csr_array((entries.data[keep], (row, column)), shape=hierarchy.children.shape)


def _combined(below: FloatArray, own: FloatArray) -> FloatArray:
    """Variance of two independent estimates combined."""
    unknown = np.isinf(below)
    return np.where(unknown, own, np.where(unknown, 0.0, below) * _shares(below, own)[0])


def _shares(below: FloatArray, own: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights of the children's sum and of the aggregate's own forecast."""
    trust, share = np.ones_like(own), np.zeros_like(own)
    usual = np.isfinite(own) & np.isfinite(below) & (below > 0)
    trust[usual] = own[usual] / (below[usual] + own[usual])
    share[usual] = below[usual] / (below[usual] + own[usual])
    only_own = np.isinf(below) & np.isfinite(own)
    trust[only_own], share[only_own] = 0.0, 1.0
    return trust, share
