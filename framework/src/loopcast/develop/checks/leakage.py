"""Inputs that know the outcome: one that alone is too good to be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.develop.checks.inputs import Column, Inputs, missing
from loopcast.develop.checks.results import CheckResult, at_most

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.settings import CheckSettings

FEW = 20
"""With fewer known outcomes, an input can be perfect by chance."""


def leakage(inputs: Inputs, limits: CheckSettings) -> Iterator[CheckResult]:
    """Measure how well each input alone tells the outcome.

    An event: the Gini coefficient of ranking rows by a number, by its absence, or by a category's
    share of events among the other half of the rows. A number: the R² of a straight line.
    """
    if limits.leakage is None or inputs.outcome is None:
        return
    known = ~np.isnan(inputs.outcome)
    if known.sum() < FEW:
        return
    outcome = inputs.outcome[known]
    for name, column in inputs.columns.items():
        own = column[known]
        if inputs.kind == "number":
            strength = _squared_correlation(np.asarray(own, dtype=np.float64), outcome)
        else:
            strength = _strength(own, outcome)
        yield at_most("leakage", name, strength, limits.leakage)


def _strength(column: Column, event: NDArray[np.float64]) -> float:
    absent = missing(column)
    if isinstance(column, pd.Categorical):
        return _gini(_share_elsewhere(column.codes.astype(np.int64) + 1, event), event)
    return max(_gini(column[~absent], event[~absent]), _gini(absent.astype(np.float64), event))


def _share_elsewhere(codes: NDArray[np.int64], event: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of events of each row's category, among the half it is not in."""
    half = np.arange(len(codes)) % 2
    shares = np.empty(len(codes))
    for own in (0, 1):
        other = half != own
        count = np.bincount(codes[other], minlength=codes.max() + 1)
        events = np.bincount(codes[other], event[other], minlength=codes.max() + 1)
        # One more row of the usual share, so that a category nobody saw says nothing.
        shares[half == own] = ((events + event.mean()) / (count + 1.0))[codes[half == own]]
    return shares


def _gini(score: NDArray[np.float64], event: NDArray[np.float64]) -> float:
    """Return |2 AUC − 1|, ties counting half; zero where one outcome is rarer than ten rows."""
    events = int(event.sum())
    if min(events, len(event) - events) < FEW // 2:
        return 0.0
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[place]
    mean_rank = float(rank[event == 1.0].mean())
    return abs(2.0 * mean_rank - len(event) - 1.0) / (len(event) - events)


def _squared_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    known = ~np.isnan(x)
    x, y = x[known], y[known]
    if len(x) < FEW or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)
