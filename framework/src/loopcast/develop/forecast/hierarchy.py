"""Making forecasts add up over series and over time, and measuring that they do.

Source: G. Athanasopoulos, R. J. Hyndman, N. Kourentzes and A. Panagiotelis (2024), Forecast
reconciliation: a review, International Journal of Forecasting 40, section 2. A node is a
series at a step and an interval; the summing matrix S gives each node as a weighted sum of the
bottom series at the finest step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from loopcast.develop.forecast.backtest import Predictions
from loopcast.develop.forecast.horizon import horizon_index, slot_count, slots
from loopcast.develop.forecast.panel import heads_of, interval_starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Reconciler, Reconciliation

WARM_UP = 8
"""Origins whose errors weigh each other before there are as many past ones; never scored."""


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Which series and steps there are, and how they add up.

    Attributes
    ----------
    bottom
        Names of the bottom series, in column order.
    members
        The bottom series of each aggregate, in column order after the bottom series.
    steps
        Lengths of intervals, the finest first.
    horizon, over_time
        As in the schema.
    """

    bottom: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]
    steps: tuple[str, ...]
    horizon: str
    over_time: str

    @property
    def series(self) -> tuple[str, ...]:
        """All series, bottom ones first."""
        return (*self.bottom, *self.members)

    @property
    def heads(self) -> tuple[str, ...]:
        """Aggregates that are part of no other; the bottom series where there is none."""
        return heads_of(self.members) or self.bottom

    def over_series(self) -> sparse.csr_array:
        """Return the summing matrix over series, shape (series, bottom)."""
        position = {name: column for column, name in enumerate(self.bottom)}
        rows = [np.full(len(m), i) for i, m in enumerate(self.members.values())]
        columns = [[position[name] for name in m] for m in self.members.values()]
        n = len(self.bottom)
        if not rows:
            return sparse.csr_array(sparse.eye_array(n))
        data = np.ones(sum(map(len, columns)))
        sums = sparse.csr_array(
            (data, (np.concatenate(rows), np.concatenate(columns))), shape=(len(rows), n)
        )
        return sparse.csr_array(sparse.vstack([sparse.eye_array(n), sums]))

    def over_intervals(self, origin: pd.Timestamp, step: str) -> sparse.csr_array:
        """Return the summing matrix over time of one step, shape (intervals, fine intervals)."""
        fine = horizon_index(origin, self.horizon, self.steps[0])
        _, interval = np.unique(interval_starts(fine, step), return_inverse=True)
        lengths = np.bincount(interval)
        weight = 1.0 / lengths[interval] if self.over_time == "mean" else np.ones(len(fine))
        return sparse.csr_array(
            (weight, (interval, np.arange(len(fine)))), shape=(len(lengths), len(fine))
        )

    def summing(self, origin: pd.Timestamp) -> sparse.csr_array:
        """Return the summing matrix of one horizon, shape (nodes, bottom nodes).

        Nodes are ordered by step, interval and series; bottom nodes by interval and series.
        """
        across = self.over_series()
        parts = [
            sparse.kron(self.over_intervals(origin, step), across, format="csr")
            for step in self.steps
        ]
        return sparse.csr_array(sparse.vstack(parts))

    def slot_nodes(self, origin: pd.Timestamp) -> NDArray[np.int64]:
        """Return the position of each node of a horizon in an array of errors by slot."""
        width, offset, parts = len(self.series), 0, []
        for step in self.steps:
            slot = slots(horizon_index(origin, self.horizon, step), origin, step)
            parts.append((offset + slot[:, None] * width + np.arange(width)).ravel())
            offset += slot_count(self.horizon, step) * width
        return np.concatenate(parts)


class BottomUp:
    """Reconciler that only adds up: aggregates are the sums of bottom forecasts."""

    name = "bottom_up"
    summary = "sums of the bottom forecasts"

    def fit(
        self,
        summing: sparse.csr_array,
        errors: NDArray[np.floating[Any]],
        *,
        nonnegative: bool = False,
    ) -> Reconciliation:
        """Find the bottom nodes: the first row that is one bottom node alone."""
        alone = (np.diff(summing.indptr) == 1) & (summing.sum(axis=1) == 1.0)
        rows = np.flatnonzero(alone)
        _, first = np.unique(summing[rows].indices, return_index=True)
        return _BottomUpSums(summing=summing, bottom=rows[first], nonnegative=nonnegative)


@dataclass(frozen=True, eq=False, kw_only=True)
class _BottomUpSums:
    summing: sparse.csr_array
    bottom: NDArray[np.int64]
    nonnegative: bool

    def project(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        own = base[self.bottom]
        return np.asarray(self.summing @ (np.maximum(own, 0.0) if self.nonnegative else own))


def errors_by_slot(
    hierarchy: Hierarchy, predictions: Mapping[str, Predictions], origins: int
) -> NDArray[np.float64]:
    """Arrange errors (actual − forecast) by origin and slot, shape (origins, slot nodes).

    An error that is not known, for the day does not have the slot or its actual is missing, takes
    the mean error of the other days; zero where none is known.
    """
    parts = []
    for step in hierarchy.steps:
        p = predictions[step]
        errors = np.full((origins, slot_count(hierarchy.horizon, step), len(p.series)), np.nan)
        errors[p.origin, p.slot] = p.actual - p.mean
        holes = np.isnan(errors)
        if holes.any():
            known = np.count_nonzero(~holes, axis=0)
            mean = np.where(holes, 0.0, errors).sum(axis=0) / np.maximum(known, 1)
            errors = np.where(holes, mean, errors)
        parts.append(errors.reshape(origins, -1))
    return np.concatenate(parts, axis=1)


def reconcile_origin(
    hierarchy: Hierarchy,
    reconciler: Reconciler,
    base: NDArray[np.float64],
    errors: NDArray[np.floating[Any]],
    origin: pd.Timestamp,
    *,
    nonnegative: bool,
) -> NDArray[np.float64]:
    """Reconcile the forecasts from one origin.

    Parameters
    ----------
    base : ndarray, shape (nodes,)
        Ordered by step, interval and series.
    errors : ndarray, shape (samples, slot nodes)
        Past errors by slot.

    Returns
    -------
    ndarray, shape (nodes,)
    """
    past = errors[:, hierarchy.slot_nodes(origin)]
    fitted = reconciler.fit(hierarchy.summing(origin), past, nonnegative=nonnegative)
    return fitted.project(base[:, None])[:, 0]


def reconcile_backtest(
    hierarchy: Hierarchy,
    reconciler: Reconciler,
    predictions: Mapping[str, Predictions],
    origins: Sequence[pd.Timestamp],
    *,
    nonnegative: bool,
) -> dict[str, Predictions]:
    """Reconcile each origin of a backtest with the errors of the origins before it."""
    errors = errors_by_slot(hierarchy, predictions, len(origins))
    coherent = {step: p.mean.copy() for step, p in predictions.items()}
    for position, origin in enumerate(origins):
        rows = {step: p.origin == position for step, p in predictions.items()}
        base = np.concatenate([predictions[s].mean[rows[s]].ravel() for s in hierarchy.steps])
        past = errors[: max(position, min(WARM_UP, len(origins)))]
        result = reconcile_origin(
            hierarchy, reconciler, base, past, origin, nonnegative=nonnegative
        )
        for step, values in split_nodes(hierarchy, result, origin).items():
            coherent[step][rows[step]] = values
    return {
        step: Predictions(
            step=step,
            series=p.series,
            times=p.times,
            origin=p.origin,
            slot=p.slot,
            actual=p.actual,
            mean=coherent[step],
        )
        for step, p in predictions.items()
    }


def split_nodes(
    hierarchy: Hierarchy, nodes: NDArray[np.float64], origin: pd.Timestamp
) -> dict[str, NDArray[np.float64]]:
    """Split a vector of nodes into one array of shape (intervals, series) for each step."""
    lengths = [len(horizon_index(origin, hierarchy.horizon, step)) for step in hierarchy.steps]
    width = len(hierarchy.series)
    parts = np.split(nodes, np.cumsum(lengths)[:-1] * width)
    return {
        step: part.reshape(-1, width) for step, part in zip(hierarchy.steps, parts, strict=True)
    }


def coherence_error(
    hierarchy: Hierarchy, nodes: NDArray[np.float64], origin: pd.Timestamp
) -> float:
    """Return the largest difference between a node and its sum, relative to the node's size."""
    summing = hierarchy.summing(origin)
    width, fine = len(hierarchy.series), summing.shape[1] // len(hierarchy.bottom)
    bottom = nodes[: fine * width].reshape(fine, width)[:, : len(hierarchy.bottom)].ravel()
    sums = summing @ bottom
    scale = np.maximum(abs(summing) @ np.abs(bottom), np.finfo(np.float64).tiny)
    return float(np.max(np.abs(nodes - sums) / scale))
