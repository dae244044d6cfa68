"""Reconciliation over series and time in one exact step, without their product.

Forecasts are a matrix, nodes of space by nodes of time. Where the covariance allows, the problem
falls apart into problems over space alone:

* **Kronecker covariance**, ``W = W_space x W_time``: coherent matrices are the tensor product of
  the coherent vectors of both sides, and the orthogonal projection onto a tensor product, in a
  metric that is one, is the product of the projections.

* **A variance for each series and temporal level** (WLSV of Di Fonzo and Girolimetto 2023,
  "Cross-temporal forecast reconciliation", section 5), regular levels: split each level into
  contrasts, means of a period less the mean of the period that contains it. All temporal forecasts
  of a series see a contrast with known constants, contrasts of different levels do not interact,
  and adding up series keeps them apart. So each level is one problem over space, with the pooled
  estimate of the contrast from this level and all finer ones as its forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import FloatArray, SparseArray
from loopcast_forecasting.reconcile.covariance import Covariance
from loopcast_forecasting.reconcile.engine import prepare
from loopcast_forecasting.reconcile.hierarchy import Hierarchy, as_hierarchy
from loopcast_forecasting.reconcile.projection import diagonal_solver


def reconcile_kronecker(
    space: SparseArray | Hierarchy,
    time: SparseArray | Hierarchy,
    base: FloatArray,
    space_covariance: Covariance,
    time_covariance: Covariance,
) -> FloatArray:
    """Reconcile over space and time with a Kronecker covariance.

    Equals `reconcile` on `cross_temporal(space, time)` with ``W_space x W_time``.

    Parameters
    ----------
    base : float array, shape (n_space, n_time) or (n_space, n_time, k)
        Finite forecasts.

    Returns
    -------
    float array, shape of base

    Raises
    ------
    DataError
        If shapes differ or a forecast is not finite.
    """
    shape = _check(base, as_hierarchy(space).n_nodes, as_hierarchy(time).n_nodes)
    over_space, over_time = prepare(space, space_covariance), prepare(time, time_covariance)
    spread = over_space(base.reshape(shape[0], -1)).reshape(shape)
    by_time = np.ascontiguousarray(np.moveaxis(spread, 1, 0)).reshape(shape[1], -1)
    result = over_time(by_time).reshape(shape[1], shape[0], shape[2])
    return np.ascontiguousarray(np.moveaxis(result, 0, 1)).reshape(base.shape)


def reconcile_levels(
    space: SparseArray | Hierarchy,
    periods: Sequence[int],
    base: FloatArray,
    variance: FloatArray,
    *,
    how: Literal["sum", "mean"] = "sum",
) -> FloatArray:
    """Reconcile over space and time with a variance for each series and temporal level.

    Equals `reconcile` on ``cross_temporal(space, temporal(periods[:-1], n_steps, how=how))`` with
    the diagonal covariance that repeats `variance` over the nodes of each level.

    Parameters
    ----------
    space : csr_array or Hierarchy
    periods : sequence of int
        Length of each level in steps, the coarsest first, each a multiple of the next, 1 last:
        ``(336, 48, 2, 1)`` is week, day, hour, half-hour.
    base : float array, shape (n_space, n_time) or (n_space, n_time, k)
        Finite forecasts; nodes of time as in `temporal`: each level in turn, then the steps.
    variance : float array, shape (n_space, n_levels)
        Error variance of one node of each level; positive.
    how : "sum" or "mean"
        What a coarse node is of its steps.

    Returns
    -------
    float array, shape of base

    Raises
    ------
    DataError
        If shapes differ, a forecast is not finite, a variance is not positive and finite, or
        periods do not nest.
    """
    hierarchy = as_hierarchy(space)
    _check_periods(periods)
    n_steps = _steps(periods, base)
    shape = _check(base, hierarchy.n_nodes, sum(n_steps // size for size in periods))
    _check_variance(variance, (shape[0], len(periods)))
    sizes = np.asarray(periods, dtype=np.float64) if how == "sum" else np.ones(len(periods))
    means = _level_means(base.reshape(shape), periods, sizes, n_steps)
    solver = diagonal_solver(hierarchy)
    steps: FloatArray | None = None
    for level, period in enumerate(periods):
        forecast, pooled = _pooled_contrast(means, periods, variance / sizes**2, level)
        contrast = solver.factor(pooled).apply(forecast.reshape(shape[0], -1))
        values = contrast.reshape(shape[0], -1, shape[2])
        if steps is not None:
            values += np.repeat(steps, periods[level - 1] // period, axis=1)
        steps = values
    assert steps is not None
    return _aggregated(steps, periods, how).reshape(base.shape)


def _level_means(
    base: FloatArray, periods: Sequence[int], sizes: FloatArray, n_steps: int
) -> list[FloatArray]:
    """Forecasts of each level as means over their steps, (n_space, n_periods, k) each."""
    ends = np.cumsum([n_steps // period for period in periods])
    parts = np.split(base, ends[:-1], axis=1)
    return [part / size for part, size in zip(parts, sizes, strict=True)]


def _pooled_contrast(
    means: list[FloatArray], periods: Sequence[int], variance: FloatArray, level: int
) -> tuple[FloatArray, FloatArray]:
    """Estimate of a level's contrasts from it and all finer levels, with its variance."""
    precision = np.zeros(variance.shape[0])
    total = np.zeros_like(means[level])
    for finer in range(level, len(periods)):
        count = periods[level] // periods[finer]
        weight = count / variance[:, finer]
        precision += weight
        total += weight[:, None, None] * _period_means(means[finer], count)
    total /= precision[:, None, None]
    if level:
        count = periods[level - 1] // periods[level]
        total -= np.repeat(_period_means(total, count), count, axis=1)
    return total, 1.0 / precision


def _period_means(values: FloatArray, count: int) -> FloatArray:
    if count == 1:
        return values
    n_space, n_periods, k = values.shape
    result: FloatArray = values.reshape(n_space, n_periods // count, count, k).mean(axis=2)
    return result


def _aggregated(
    steps: FloatArray, periods: Sequence[int], how: Literal["sum", "mean"]
) -> FloatArray:
    levels = [steps]
    for coarse, fine in zip(periods[-2::-1], periods[:0:-1], strict=True):
        factor = coarse // fine
        mean = _period_means(levels[-1], factor)
        levels.append(mean * factor if how == "sum" else mean)
    return np.concatenate(levels[::-1], axis=1)


def _steps(periods: Sequence[int], base: FloatArray) -> int:
    """Horizon in steps, from the number of temporal nodes."""
    per_top = sum(periods[0] // period for period in periods)
    return periods[0] * (base.shape[1] // per_top) if base.ndim > 1 else 0


def _check_periods(periods: Sequence[int]) -> None:
    nested = all(fine > 0 and coarse % fine == 0 for coarse, fine in pairwise(periods))
    if not periods or periods[-1] != 1 or not nested:
        raise DataError(
            f"periods are {tuple(periods)}; give lengths in steps, the coarsest first, each a "
            "multiple of the next, and 1 last"
        )


def _check_variance(variance: FloatArray, shape: tuple[int, int]) -> None:
    if variance.shape != shape:
        raise DataError(f"variances have shape {variance.shape}; expected {shape}")
    bad = np.argwhere(~((variance > 0) & np.isfinite(variance)))
    if bad.size:
        raise DataError(
            f"{len(bad)} variances are not positive and finite, first that of node {bad[0][0]}, "
            f"level {bad[0][1]}; give positive numbers"
        )


def _check(base: FloatArray, n_space: int, n_time: int) -> tuple[int, int, int]:
    if base.ndim not in (2, 3) or base.shape[:2] != (n_space, n_time):
        raise DataError(f"forecasts have shape {base.shape}; expected ({n_space}, {n_time}, k)")
    if not np.isfinite(base).all():
        node, period = np.argwhere(~np.isfinite(base))[0][:2]
        raise DataError(
            f"the forecast of node {node} at temporal node {period} is not finite; reconcile with "
            "missing forecasts on the product of both hierarchies"
        )
    return n_space, n_time, base.shape[2] if base.ndim == 3 else 1
