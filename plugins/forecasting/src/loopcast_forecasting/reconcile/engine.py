"""Reconciliation of forecasts: the entry points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import BoolArray, FloatArray, IntArray, SparseArray
from loopcast_forecasting.reconcile.bounds import Bounds, reconcile_within
from loopcast_forecasting.reconcile.covariance import Covariance
from loopcast_forecasting.reconcile.hierarchy import Hierarchy, as_hierarchy
from loopcast_forecasting.reconcile.lowrank import Factored, factored
from loopcast_forecasting.reconcile.projection import DiagonalSolver, diagonal_solver


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """A hierarchy, a covariance and constraints, ready for any number of forecasts.

    Made by `prepare`. Calling it with forecasts, shape (n_nodes, k) or (n_nodes,), returns the
    coherent ones; see `reconcile`.
    """

    hierarchy: Hierarchy
    covariance: Covariance
    pinned: BoolArray
    bounds: Bounds | None
    solver: DiagonalSolver

    def __call__(self, base: FloatArray) -> FloatArray:
        """Return the coherent forecasts nearest to base."""
        values = np.asarray(base, dtype=np.float64)
        if values.ndim == 1:
            return self(values[:, None])[:, 0]
        self._check(values)
        if np.isfinite(values).all():
            return self._columns(values, self.complete, self.covariance)
        result = np.empty_like(values)
        for columns, missing in _patterns(np.isnan(values)):
            covariance = self._without(missing)
            known = np.where(missing[:, None], 0.0, values[:, columns])
            model = factored(self.solver, covariance)
            result[:, columns] = self._columns(known, model, covariance)
        return result

    @cached_property
    def complete(self) -> Factored:
        """The factorisation for forecasts of all nodes; made once, when first needed."""
        return factored(self.solver, self.covariance)

    def _columns(self, base: FloatArray, model: Factored, covariance: Covariance) -> FloatArray:
        if self.bounds is None:
            result = model.apply(base)
        else:
            result = reconcile_within(
                self.hierarchy, self.solver, covariance, bounds=self.bounds, free=model, base=base
            )
        if self.pinned.any():
            result[self.pinned] = base[self.pinned]  # already equal but for rounding
        return result

    def _without(self, missing: BoolArray) -> Covariance:
        return replace(
            self.covariance, variance=np.where(missing, np.inf, self.covariance.variance)
        )

    def _check(self, base: FloatArray) -> None:
        count = self.hierarchy.n_nodes
        if base.ndim != 2 or base.shape[0] != count:
            raise DataError(f"forecasts have shape {base.shape}; expected ({count}, k)")
        if np.isinf(base).any():
            node, column = np.argwhere(np.isinf(base))[0]
            raise DataError(
                f"the forecast of node {node}, column {column} is infinite; give a finite number, "
                "or NaN where there is no forecast"
            )
        if self.pinned.any() and np.isnan(base[self.pinned]).any():
            node = np.flatnonzero(self.pinned & np.isnan(base).any(axis=1))[0]
            raise DataError(f"node {node} is pinned and has no value; give its schedule")


def prepare(
    summing: SparseArray | Hierarchy,
    covariance: Covariance,
    *,
    pinned: BoolArray | None = None,
    lower: FloatArray | float | None = None,
    upper: FloatArray | float | None = None,
) -> Reconciliation:
    """Prepare a reconciliation for repeated use; the arguments are those of `reconcile`."""
    hierarchy = as_hierarchy(summing)
    _check_length(covariance.variance, hierarchy.n_nodes, "variances")
    held = np.zeros(hierarchy.n_nodes, dtype=bool) if pinned is None else np.asarray(pinned, bool)
    _check_length(held, hierarchy.n_nodes, "pinned")
    exact = replace(covariance, variance=np.where(held, 0.0, covariance.variance))
    _check_positive(exact, held)
    bounds = _bounds(hierarchy, lower, upper)
    return Reconciliation(hierarchy, exact, held, bounds, diagonal_solver(hierarchy))


def reconcile(
    summing: SparseArray | Hierarchy,
    base: FloatArray,
    covariance: Covariance,
    *,
    pinned: BoolArray | None = None,
    lower: FloatArray | float | None = None,
    upper: FloatArray | float | None = None,
) -> FloatArray:
    """Coherent forecasts nearest to the base forecasts: minimum trace reconciliation.

    Minimises ``(x - y)' W**-1 (x - y)`` over coherent x, which without constraints is
    ``x = S (S' W**-1 S)**-1 S' W**-1 y`` (Wickramasuriya et al. 2019, equation 9).

    Parameters
    ----------
    summing : csr_array, shape (n_nodes, n_bottom), or Hierarchy
    base : float array, shape (n_nodes,) or (n_nodes, k)
        Forecasts y, a column each. NaN is a forecast that is missing: it carries no information.
    covariance : Covariance
        W, of base forecast errors.
    pinned : bool array, shape (n_nodes,), optional
        Nodes whose value in `base` is given, not forecast, and is met exactly.
    lower, upper : float, or float array of shape (n_nodes,), optional
        Bounds. A number bounds every bottom series; in an array the entries of aggregates must be
        infinite. ``lower=0.0`` is non-negative reconciliation.

    Returns
    -------
    float array, shape of base

    Raises
    ------
    DataError
        If shapes differ; if values are infinite; if missing forecasts leave a node undetermined;
        if pinned nodes contradict one another or a bound.
    ConvergenceError
        If bounds could not be settled.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from loopcast_forecasting.reconcile import ols, reconcile
    >>> S = csr_array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> reconcile(S, np.array([9.0, 2.0, 4.0]), ols(S))
    array([8., 3., 5.])
    """
    return prepare(summing, covariance, pinned=pinned, lower=lower, upper=upper)(base)


def reconcile_blocks(
    reconciliation: Reconciliation, blocks: Iterable[FloatArray]
) -> Iterator[FloatArray]:
    """Reconcile a stream of blocks, as of sample paths, with one factorisation.

    Only one block is in memory at a time.

    Parameters
    ----------
    reconciliation : Reconciliation
    blocks : iterable of float arrays, shape (n_nodes, k_i)

    Yields
    ------
    float array, shape (n_nodes, k_i)
    """
    return (reconciliation(block) for block in blocks)


def _patterns(missing: BoolArray) -> Iterator[tuple[IntArray, BoolArray]]:
    """Columns with the same missing nodes, and those nodes."""
    distinct, group = np.unique(np.packbits(missing, axis=0), axis=1, return_inverse=True)
    for index in range(distinct.shape[1]):
        columns = np.flatnonzero(group == index).astype(np.int64)
        yield columns, missing[:, columns[0]]


def _bounds(
    hierarchy: Hierarchy, lower: FloatArray | float | None, upper: FloatArray | float | None
) -> Bounds | None:
    if lower is None and upper is None:
        return None
    low = _bound(hierarchy, -np.inf if lower is None else lower)
    return Bounds(low, _bound(hierarchy, np.inf if upper is None else upper))


def _bound(hierarchy: Hierarchy, value: FloatArray | float) -> FloatArray:
    if np.ndim(value) == 0:
        return np.full(hierarchy.bottom.size, float(value))
    array = np.asarray(value, dtype=np.float64)
    _check_length(array, hierarchy.n_nodes, "bounds")
    finite = hierarchy.aggregates[np.isfinite(array[hierarchy.aggregates])]
    if finite.size:
        raise DataError(
            f"{finite.size} aggregates are bounded, first node {finite[0]}; only bottom series can "
            "be: give infinite bounds for the others"
        )
    return array[hierarchy.bottom]


def _check_length(array: FloatArray | BoolArray, count: int, what: str) -> None:
    if array.shape != (count,):
        raise DataError(f"{what} have shape {array.shape}; expected ({count},), one a node")


def _check_positive(covariance: Covariance, pinned: BoolArray) -> None:
    if covariance.samples is None or covariance.loading == 0.0:
        return
    bad = np.flatnonzero((covariance.variance == 0) & ~pinned)
    if bad.size:
        raise DataError(
            f"{bad.size} nodes have no variance of their own beside the low-rank part, first node "
            f"{bad[0]}; give each a positive variance, or pin it"
        )
