"""Choosing a cut-off: what is granted at it, how often the event then happens, what it earns.

A cut-off that is chosen by the rows that also judge it looks better than it is. Choices are
therefore made again on bootstrap samples: how far the cut-off moves is its interval, and how much
more it earns on the sample that chose it than on all rows is how much it flatters itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from loopcast.api import ScoreOutcome
from loopcast.develop.decision import Decision
from loopcast.develop.fairness.intervals import Interval, Share, share_of_rows
from loopcast.develop.inference import Estimate, independent_error, mean_influence
from loopcast.develop.score.decisions import by_amount, profits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import DecisionSettings

    FloatArray = NDArray[np.float64]

SAMPLES = 200
"""Bootstrap samples of a choice."""


@dataclass(frozen=True, kw_only=True)
class Operating:
    """What happens at a cut-off.

    Attributes
    ----------
    rows
        How many it was measured on.
    granted
        Share of cases that are granted.
    events
        Share of those granted in which the event happens.
    profit
        What a case earns in the mean; ``None`` where the logical model says no profits.
    granted_amount, events_amount
        The two shares of what is at stake in the cases; ``None`` where nothing says it.
    """

    cutoff: float
    rows: int
    granted: Share
    events: Share
    profit: Interval | None
    granted_amount: Share | None = None
    events_amount: Share | None = None


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a cut-off is chosen for.

    Attributes
    ----------
    kind
        ``profit``: the most of it; ``events``: the most cases granted with at most this share of
        events among them; ``granted``: this share of cases, as nearly as ties allow.
    target
        A share; not used for ``profit``.
    """

    kind: Literal["profit", "events", "granted"]
    target: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A chosen cut-off.

    Attributes
    ----------
    low, high
        Interval of the cut-off, were it chosen by other rows like these.
    expected
        What a case of other rows may be expected to earn in the mean; ``None`` without profits.
    """

    goal: Goal
    at: Operating
    low: float
    high: float
    expected: float | None


def operating(
    outcome: ScoreOutcome, cutoff: float, settings: DecisionSettings, confidence: float = 0.95
) -> Operating:
    """Measure what happens at a cut-off."""
    granted = Decision(cutoff=cutoff, favourable=settings.favourable).granted(outcome.probability)
    shares, counted = _shares(outcome, granted, confidence), by_amount(outcome)
    amounts = (None, None) if counted is None else _shares(counted, granted, confidence)
    return Operating(
        cutoff=cutoff,
        rows=len(granted),
        granted=shares[0],
        events=shares[1],
        granted_amount=amounts[0],
        events_amount=amounts[1],
        profit=None
        if settings.profits is None
        else _mean(profits_of(outcome, granted, settings.profits), outcome.weight, confidence),
    )


def _shares(
    outcome: ScoreOutcome, granted: NDArray[np.bool_], confidence: float
) -> tuple[Share, Share]:
    """Return the share that is granted, and that of events among it."""
    happened = outcome.actual[granted] == 1.0
    return (
        share_of_rows(granted, outcome.weight, confidence),
        share_of_rows(happened, outcome.weight[granted], confidence),
    )


def _mean(values: FloatArray, weight: FloatArray, confidence: float) -> Interval:
    value = float(np.average(values, weights=weight))
    error, freedom = independent_error(mean_influence(values, weight))
    ends = Estimate(value=value, error=error, freedom=freedom).interval(confidence)
    low, high = ends or (float("nan"), float("nan"))
    return Interval(value=value, low=low, high=high)


def curve(outcome: ScoreOutcome, settings: DecisionSettings, points: int = 40) -> list[Operating]:
    """Return what happens at cut-offs from few cases granted to all of them."""
    ranked = _Ranked.of(outcome, settings)
    reached = np.cumsum(outcome.weight[ranked.order])[ranked.ends] / outcome.weight.sum()
    places = np.unique(np.searchsorted(reached, np.linspace(1.0 / points, 1.0, points) - 1e-12))
    cutoffs = ranked.cutoffs[1:][np.minimum(places, len(reached) - 1)]
    return [operating(outcome, float(cutoff), settings) for cutoff in np.sort(cutoffs)]


def choose(
    outcome: ScoreOutcome,
    goal: Goal,
    settings: DecisionSettings,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Choice:
    """Choose the cut-off that reaches a goal on judged rows.

    Source of the intervals: B. Efron and R. Tibshirani (1993), An Introduction to the Bootstrap,
    chapters 13 (percentiles) and 17 (the optimism of an estimate, and its correction).
    """
    ranked, random = _Ranked.of(outcome, settings), np.random.default_rng(seed)
    rows = len(ranked.order)
    once = np.ones(rows)
    cutoffs, optimism = np.empty(SAMPLES), np.empty(SAMPLES)
    for sample in range(SAMPLES):
        times = np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64)
        place = ranked.best(times, goal)
        cutoffs[sample] = ranked.cutoffs[place]
        optimism[sample] = ranked.earned(times, place) - ranked.earned(once, place)
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(cutoffs, [tail, 100.0 - tail])
    cutoff = float(ranked.cutoffs[ranked.best(once, goal)])
    at = operating(outcome, cutoff, settings, confidence)
    expected = None if at.profit is None else at.profit.value - float(optimism.mean())
    return Choice(goal=goal, at=at, low=float(low), high=float(high), expected=expected)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Ranked:
    """Rows from the most favourable score on, and every cut-off that tells some of them apart.

    Attributes
    ----------
    order : ndarray, shape (rows,)
    ends : ndarray, shape (scores,)
        Position of the last row of each distinct score.
    cutoffs : ndarray, shape (scores + 1,)
        That grant nobody, those up to the first distinct score, up to the second, …
    weight, event, gain, refused : ndarray, shape (rows,)
        In the order; gain is what granting earns more than refusing.
    """

    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    cutoffs: FloatArray
    weight: FloatArray
    event: FloatArray
    gain: FloatArray
    refused: FloatArray

    @classmethod
    def of(cls, outcome: ScoreOutcome, settings: DecisionSettings) -> _Ranked:
        p, low = outcome.probability, settings.favourable == "low"
        order = np.argsort(p if low else -p, kind="stable")
        ranked = p[order]
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        between = (ranked[ends[:-1]] + ranked[ends[:-1] + 1]) / 2.0
        above = 1.0 + np.finfo(float).eps
        first, last = (0.0, above) if low else (above, 0.0)
        everyone, nobody = np.ones(len(p), dtype=bool), np.zeros(len(p), dtype=bool)
        zero = np.zeros(len(p))
        profits = settings.profits
        refused = zero if profits is None else profits_of(outcome, nobody, profits)
        granted = zero if profits is None else profits_of(outcome, everyone, profits)
        return cls(
            order=order,
            ends=ends,
            cutoffs=np.concatenate([[first], between, [last]]),
            weight=outcome.weight[order],
            event=outcome.actual[order],
            gain=(granted - refused)[order],
            refused=refused[order],
        )

    def _upto(self, values: FloatArray) -> FloatArray:
        """Return the sum of values over those granted at each cut-off, shape (scores + 1,)."""
        return np.concatenate([[0.0], np.cumsum(values)[self.ends]])

    def best(self, times: FloatArray, goal: Goal) -> int:
        """Return the cut-off that reaches a goal where rows count so many times."""
        weight = times * self.weight
        if goal.kind == "profit":
            return int(np.argmax(self._upto(weight * self.gain)))
        granted = self._upto(weight)
        if goal.kind == "granted":
            return int(np.argmin(np.abs(granted - goal.target * weight.sum())))
        allowed = self._upto(weight * self.event) <= goal.target * granted
        return int(np.flatnonzero(allowed)[-1])

    def earned(self, times: FloatArray, place: int) -> float:
        """Return what a case earns in the mean at a cut-off where rows count so many times."""
        weight = times * self.weight
        total = weight @ self.refused + self._upto(weight * self.gain)[place]
        return float(total / weight.sum())
