"""Trade-offs: what each cut-off gives in correct decisions, and in how even they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.develop.decision import Decision

if TYPE_CHECKING:
    from loopcast.api import Rows, ScoreOutcome
    from loopcast.develop.fairness.measures import Decided

Floats = NDArray[np.float64]

POINTS = 60


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """What decisions are like at each of some cut-offs.

    Attributes
    ----------
    cutoff : ndarray, shape (n,)
    granted : ndarray, shape (n,)
        Share of favourable decisions.
    correct : ndarray, shape (n,)
        Share of decisions that the outcome bears out.
    profit : ndarray, shape (n,)
        What a case earns on average; NaN where the logical model does not say what decisions earn.
    ratio : ndarray, shape (n,)
        Smallest ratio of a group's selection rate to the largest; NaN where nobody is granted.
    gap : ndarray, shape (n,)
        Largest difference of two groups in opportunity.
    best : ndarray, shape (n,)
        Whether no other cut-off earns at least as much (or, without profits, is as correct) and is
        as even by the ratio, and is better in one of the two.
    """

    cutoff: Floats
    granted: Floats
    correct: Floats
    profit: Floats
    ratio: Floats
    gap: Floats
    best: NDArray[np.bool_]


def sweep(found: Decided, groups: Mapping[str, Rows]) -> Sweep:
    """Try cut-offs over the range of the scores.

    Parameters
    ----------
    groups
        Those that are large enough to be compared.
    """
    outcome = found.outcome
    inner = np.unique(np.quantile(outcome.probability, np.linspace(0.01, 0.99, POINTS)))
    tried = [
        _at(Decision(cutoff=float(cutoff), favourable=found.decision.favourable), found, groups)
        for cutoff in inner
    ]
    granted, correct, profit, ratio, gap = np.array(tried).T
    return Sweep(
        cutoff=inner,
        granted=granted,
        correct=correct,
        profit=profit,
        ratio=ratio,
        gap=gap,
        best=undominated(correct if found.profits is None else profit, ratio),
    )


def _at(decision: Decision, found: Decided, groups: Mapping[str, Rows]) -> tuple[float, ...]:
    outcome = found.outcome
    granted = decision.granted(outcome.probability)
    rates = [_share(granted, outcome, rows) for rows in groups.values()]
    chances = [_share(granted, outcome, rows[found.deserving[rows]]) for rows in groups.values()]
    ratio = min(rates) / max(rates) if max(rates) > 0.0 else np.nan
    every = np.flatnonzero(found.judged.overall)
    return (
        _share(granted, outcome, every),
        _share(granted == found.deserving, outcome, every),
        found.profit(granted, every),
        ratio,
        max(chances) - min(chances),
    )


def _share(chosen: NDArray[np.bool_], outcome: ScoreOutcome, rows: Rows) -> float:
    weight = outcome.weight[rows]
    return float(weight @ chosen[rows] / weight.sum()) if len(rows) else np.nan


def undominated(first: Floats, second: Floats) -> NDArray[np.bool_]:
    """Say which points no other point beats in one way without losing in the other.

    Higher is better in both; a point with NaN is dominated.

    Examples
    --------
    >>> import numpy as np
    >>> undominated(np.array([0.9, 0.8, 0.7]), np.array([0.5, 0.9, 0.8])).tolist()
    [True, True, False]
    """
    known = np.isfinite(first) & np.isfinite(second)
    x, y = np.where(known, first, -np.inf), np.where(known, second, -np.inf)
    no_worse = (x[None, :] >= x[:, None]) & (y[None, :] >= y[:, None])
    better = (x[None, :] > x[:, None]) | (y[None, :] > y[:, None])
    return np.asarray(known & ~(no_worse & better).any(axis=1))
