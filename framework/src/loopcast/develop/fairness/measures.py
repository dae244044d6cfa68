"""Fairness of the decisions that a score leads to, group by group, with intervals.

Every measure is a share of some rows of a group: of all for selection, of those who deserve it for
equal opportunity, of those who were granted it for predictive parity. Which measures have to be
equal is a decision that people make; where outcomes differ between groups, all of them cannot be
(J. Kleinberg, S. Mullainathan and M. Raghavan (2017), Inherent trade-offs in the fair determination
of risk scores, ITCS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Judged, Profits, ScoreOutcome
from loopcast.develop.fairness.groups import CROSS, groups_of
from loopcast.develop.fairness.intervals import (
    UNDEFINED,
    Interval,
    Share,
    difference,
    ratio,
    share_of_rows,
)
from loopcast.develop.inference import Estimate, block_sums, independent_error, mean_influence
from loopcast.develop.score.decisions import profits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Rows
    from loopcast.develop.decision import Decision

FEWEST = 30
"""Effective rows of a group, below which it is too small to tell anything."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How groups are compared.

    Attributes
    ----------
    confidence
        Of each interval by itself; of many, some miss by chance.
    fewest
        Effective rows of a group from which on it is compared.
    """

    confidence: float = 0.95
    fewest: int = FEWEST


@dataclass(frozen=True, eq=False, kw_only=True)
class Decided:
    """Judged rows, and what is decided of each.

    Attributes
    ----------
    granted : ndarray, shape (n,)
        Which rows are decided in favour of the person.
    deserving : ndarray, shape (n,)
        Which rows came true as a favourable decision hopes.
    profits
        What decisions earn, where the logical model says it.
    """

    judged: Judged
    outcome: ScoreOutcome
    decision: Decision
    granted: NDArray[np.bool_]
    deserving: NDArray[np.bool_]
    profits: Profits | None = None

    def profit(self, granted: NDArray[np.bool_], rows: Rows) -> float:
        """Return what a case of some rows earns on average; NaN where nothing says it.

        Parameters
        ----------
        granted : ndarray, shape (n,)
        """
        if self.profits is None:
            return float("nan")
        earned = profits_of(self.outcome, granted, self.profits)[rows]
        return float(np.average(earned, weights=self.outcome.weight[rows]))


def decided(
    judged: Judged,
    outcome: ScoreOutcome,
    decision: Decision,
    profits: Profits | None = None,
) -> Decided:
    """Decide judged rows by their scores."""
    return Decided(
        judged=judged,
        outcome=outcome,
        decision=decision,
        granted=decision.granted(outcome.probability),
        deserving=outcome.actual == (0.0 if decision.favourable == "low" else 1.0),
        profits=profits,
    )


@dataclass(frozen=True, kw_only=True)
class GroupFairness:
    """How one group is decided on.

    Attributes
    ----------
    enough
        Whether it has enough rows to be compared with others.
    granted
        Share of favourable decisions: the selection rate.
    opportunity
        The same among those whose outcome deserved one: equal opportunity asks for equal ones.
    parity
        Share of those who were granted and deserved it: predictive parity asks for equal ones.
    calibration
        Share of events minus the mean probability.
    ratio
        Of ``granted`` to that of the group with the largest; four fifths by the rule.
    opportunity_gap, parity_gap
        Differences from all others together.
    """

    group: str
    rows: int
    events: float
    enough: bool
    granted: Share
    opportunity: Share
    parity: Share
    calibration: Interval
    ratio: Interval = UNDEFINED
    opportunity_gap: Interval = UNDEFINED
    parity_gap: Interval = UNDEFINED


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """How the groups of one attribute, or of several at once, are decided on.

    Attributes
    ----------
    attribute
        Its name; of several, joined by ×.
    best
        The group with the largest share of favourable decisions; empty where fewer than two
        groups are large enough.
    """

    attribute: str
    best: str
    groups: tuple[GroupFairness, ...]

    @property
    def worst_ratio(self) -> Interval:
        """The smallest ratio of selection rates among groups that are large enough."""
        return _extreme([one.ratio for one in self.groups if one.enough], largest=False)

    @property
    def largest_gap(self) -> Interval:
        """The largest difference in opportunity from all others, by its size."""
        return _extreme([one.opportunity_gap for one in self.groups if one.enough], largest=True)


def _extreme(found: Sequence[Interval], *, largest: bool) -> Interval:
    known = [one for one in found if np.isfinite(one.value)]
    if not known:
        return UNDEFINED
    return (max if largest else min)(known, key=lambda one: abs(one.value))


def measure_fairness(found: Decided, attributes: Sequence[str], plan: Plan) -> Fairness:
    """Measure decisions by the groups of one attribute, or of several at once.

    Raises
    ------
    NotFoundError
        Where rows were not judged by an attribute.
    """
    return fairness_of(CROSS.join(attributes), groups_of(found.judged, attributes), found, plan)


def fairness_of(attribute: str, groups: Mapping[str, Rows], found: Decided, plan: Plan) -> Fairness:
    """Measure decisions by groups of rows that share none."""
    alone = {name: _alone(name, rows, found, plan) for name, rows in groups.items()}
    compared = [name for name, one in alone.items() if one.enough]
    if len(compared) < 2:
        return Fairness(attribute=attribute, best="", groups=tuple(alone.values()))
    best = alone[max(compared, key=lambda name: alone[name].granted.value)]
    beside = {
        name: _beside(
            alone[name],
            best,
            np.concatenate([groups[other] for other in compared if other != name]),
            found,
            plan,
        )
        for name in compared
    }
    return Fairness(attribute=attribute, best=best.group, groups=tuple((alone | beside).values()))


def _alone(name: str, rows: Rows, found: Decided, plan: Plan) -> GroupFairness:
    weight = found.outcome.weight[rows]
    granted, opportunity, parity = _shares(rows, found, plan)
    return GroupFairness(
        group=name,
        rows=len(rows),
        events=float(weight @ found.outcome.actual[rows]),
        enough=granted.effective >= plan.fewest,
        granted=granted,
        opportunity=opportunity,
        parity=parity,
        calibration=_surplus(rows, found, plan.confidence),
    )


def _beside(
    one: GroupFairness, best: GroupFairness, others: Rows, found: Decided, plan: Plan
) -> GroupFairness:
    """Compare a group with the one that is granted most, and with all others together."""
    _, opportunity, parity = _shares(others, found, plan)
    return replace(
        one,
        ratio=UNDEFINED if one.group == best.group else ratio(one.granted, best.granted),
        opportunity_gap=difference(one.opportunity, opportunity),
        parity_gap=difference(one.parity, parity),
    )


def _shares(rows: Rows, found: Decided, plan: Plan) -> tuple[Share, Share, Share]:
    """Return selection rate, opportunity and predictive parity of rows."""
    weight, granted, deserving = (
        found.outcome.weight[rows],
        found.granted[rows],
        found.deserving[rows],
    )
    return (
        share_of_rows(granted, weight, plan.confidence),
        share_of_rows(granted[deserving], weight[deserving], plan.confidence),
        share_of_rows(deserving[granted], weight[granted], plan.confidence),
    )


def _surplus(rows: Rows, found: Decided, confidence: float) -> Interval:
    """Return the share of events minus the mean probability."""
    estimate = surplus_of(found.outcome, found.judged.block, rows)
    low, high = estimate.interval(confidence, (-1.0, 1.0)) or (np.nan, np.nan)
    return Interval(value=estimate.value, low=low, high=high)


def surplus_of(outcome: ScoreOutcome, block: NDArray[np.int64], rows: Rows) -> Estimate:
    """Return the share of events minus the mean probability of rows, with its error.

    The error is at least that of chance where scores are right: of a rare event that has not
    happened yet, rows show no spread, and are not certain for that.

    Parameters
    ----------
    block : ndarray, shape (n,)
        Rows of one block are not independent of each other.

    Source: D. J. Spiegelhalter (1986), Probabilistic prediction in patient management and clinical
    trials, Statistics in Medicine 5: the variance p (1 − p) of each row where scores are right.
    """
    surplus, weight = (outcome.actual - outcome.probability)[rows], outcome.weight[rows]
    sums = block_sums(mean_influence(surplus, weight), block[rows])
    error, freedom = independent_error(sums)
    said = outcome.probability[rows]
    by_chance = np.sqrt(weight**2 @ (said * (1.0 - said))) / weight.sum()
    value = float(surplus @ weight / weight.sum())
    return Estimate(value=value, error=float(np.maximum(error, by_chance)), freedom=freedom)
