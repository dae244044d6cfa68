"""A cut-off for each group: an alternative rule, to be weighed by people and never chosen by us.

The rule looks at the attribute when it decides, which the law forbids in many places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from loopcast.develop.fairness.groups import Aim
from loopcast.develop.fairness.measures import Decided, Fairness, Plan, fairness_of

if TYPE_CHECKING:
    from loopcast.api import Rows

FOLDS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Alternative:
    """Decisions by another rule, beside those of the one cut-off.

    Attributes
    ----------
    label
        What it is, for people.
    cutoffs
        By group.
    fairness
        Measured on rows that the cut-offs were not found on.
    correct, correct_before
        Share of decisions that the outcome bears out, by this rule and by the one cut-off.
    profit, profit_before
        What a case earns on average, by this rule and by the one cut-off; NaN where the logical
        model does not say what decisions earn.
    changed
        Share of rows that are decided otherwise.
    """

    label: str
    cutoffs: Mapping[str, float]
    fairness: Fairness
    correct: float
    correct_before: float
    profit: float
    profit_before: float
    changed: float


def by_group(
    attribute: str, groups: Mapping[str, Rows], found: Decided, plan: Plan
) -> list[Alternative]:
    """Return a rule of cut-offs by group for each aim, with the overall rate as it is.

    The cut-offs of one half of the rows decide on the other, so that what is measured is not
    what was fitted.

    Source: M. Hardt, E. Price and N. Srebro (2016), Equality of opportunity in supervised
    learning, NeurIPS, without their randomised decisions.
    """
    return [_alternative(attribute, groups, found, plan, aim) for aim in get_args(Aim)]


def _alternative(
    attribute: str,
    groups: Mapping[str, Rows],
    found: Decided,
    plan: Plan,
    aim: Aim,
) -> Alternative:
    rows = np.concatenate(list(groups.values()))
    granted = found.granted.copy()
    for fold in range(FOLDS):
        away = {name: part[_fold(part) != fold] for name, part in groups.items()}
        here = {name: part[_fold(part) == fold] for name, part in groups.items()}
        granted = _decide(granted, here, cutoffs(away, found, aim), found)
    again = replace(found, granted=granted)
    weight = found.outcome.weight[rows]
    return Alternative(
        label=f"a cut-off for each group, for even {aim}",
        cutoffs=cutoffs(groups, found, aim),
        fairness=fairness_of(attribute, groups, again, plan),
        correct=_mean(granted[rows] == found.deserving[rows], weight),
        correct_before=_mean(found.granted[rows] == found.deserving[rows], weight),
        profit=found.profit(granted, rows),
        profit_before=found.profit(found.granted, rows),
        changed=_mean(granted[rows] != found.granted[rows], weight),
    )


def _fold(rows: Rows) -> NDArray[np.intp]:
    """Return which half each row of a group is in: every other one, by its place."""
    return np.arange(len(rows)) % FOLDS


def _mean(chosen: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    return float(weight @ chosen / weight.sum())


def cutoffs(groups: Mapping[str, Rows], found: Decided, aim: Aim) -> dict[str, float]:
    """Return the cut-off of each group at which its rate is that of all groups together."""
    counted = {
        name: rows if aim == "selection" else rows[found.deserving[rows]]
        for name, rows in groups.items()
    }
    every = np.concatenate(list(counted.values()))
    below = found.granted[every] == (found.decision.favourable == "low")
    share = _mean(below, found.outcome.weight[every])
    return {
        name: _quantile(found.outcome.probability[rows], found.outcome.weight[rows], share)
        if len(rows)
        else found.decision.cutoff
        for name, rows in counted.items()
    }


def _quantile(values: NDArray[np.float64], weight: NDArray[np.float64], share: float) -> float:
    """Return the value below which a share of the weight is, as nearly as the values allow."""
    order = np.argsort(values, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weight[order])]) / weight.sum()
    place = int(np.argmin(np.abs(below - share)))
    ordered = np.concatenate([values[order], [np.nextafter(values.max(), np.inf)]])
    return float(ordered[place])


def _decide(
    granted: NDArray[np.bool_],
    groups: Mapping[str, Rows],
    found_cutoffs: Mapping[str, float],
    found: Decided,
) -> NDArray[np.bool_]:
    changed, low = granted.copy(), found.decision.favourable == "low"
    for name, rows in groups.items():
        below = found.outcome.probability[rows] < found_cutoffs[name]
        changed[rows] = below == low
    return changed
