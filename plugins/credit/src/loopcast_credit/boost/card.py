"""Boosted stumps as a scorecard: each asks one feature, so they add up by characteristic.

A characteristic's value is a step function of its number, the sum of its stumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ScoreData
from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.additive.effects import centred_effect
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scorer import AdditiveScorer
from loopcast_credit.bins.bins import Bins, CategoryBins, NumericBins
from loopcast_credit.bins.cuts import round_between
from loopcast_credit.boost.encode import Input, encode, learn_inputs
from loopcast_credit.boost.hyperparameters import BoostedScorecardParameters
from loopcast_credit.boost.train import train
from loopcast_credit.boost.trees import Split, Tree, trees_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_boosted_scorecard(
    data: ScoreData, p: BoostedScorecardParameters, seed: int
) -> AdditiveScorer:
    """Fit a scorecard of boosted stumps to the rows whose outcome is known.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConfigurationError
        For a direction of risk of what is no number, or where LightGBM is not installed.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    inputs = learn_inputs(features, event, weight)
    matrix = encode(inputs, features)
    trees = trees_of(train(matrix, event, weight, inputs, p, leaves=2, seed=seed))
    tolerance = p.resolution / p.scale.factor
    effects: list[Effect] = []
    intercept = sum(tree for tree in trees if not isinstance(tree, Split))
    for at, one in enumerate(inputs):
        bins, values = _steps(one, matrix[:, at], stumps_of(trees, at))
        codes = bins.codes(features[one.name])
        rows, events = (
            np.bincount(codes, each, minlength=bins.size).astype(np.float64)
            for each in (weight, weight * event)
        )
        effect, level = centred_effect(bins, values, rows, events, tolerance)
        effects.append(effect)
        intercept += level
    card = Card(
        event=str(data.schema.event),
        intercept=float(intercept),
        effects=tuple(effects),
        scale=p.scale,
    )
    return AdditiveScorer(card)


def stumps_of(trees: Sequence[Tree], feature: int) -> NDArray[np.float64]:
    """Return the stumps that ask a feature.

    Returns
    -------
    ndarray, shape (stumps, 4)
        Threshold, value at most there, value above, value of a missing number.
    """
    found = []
    for tree in trees:
        if isinstance(tree, Split) and tree.feature == feature:
            assert isinstance(tree.left, float)
            assert isinstance(tree.right, float)
            missing = tree.left if tree.missing_left else tree.right
            found.append((tree.threshold, tree.left, tree.right, missing))
    return np.array(found, np.float64).reshape(-1, 4)


def _steps(
    one: Input, x: NDArray[np.float64], stumps: NDArray[np.float64]
) -> tuple[Bins, NDArray[np.float64]]:
    """Return the bins of an input and the sum of its stumps in each."""
    missing = stumps[:, 3].sum()
    if one.categories is None:
        seen = np.unique(x[~np.isnan(x)])
        place = np.unique(np.searchsorted(seen, stumps[:, 0], side="right"))
        # A threshold beyond every number seen only tells missing ones apart.
        place = place[(place > 0) & (place < len(seen))]
        cuts = round_between(seen[place - 1], seen[place]).tolist()
        middle = seen[np.concatenate([[0], place])] if len(seen) else np.zeros(1)
        return NumericBins(name=one.name, cuts=tuple(cuts)), _summed(stumps, middle, missing)
    ranks = np.arange(len(one.categories), dtype=np.float64)
    groups = tuple((name,) for name in one.categories)
    values = _summed(stumps, ranks, missing)
    return CategoryBins(name=one.name, groups=groups), np.append(values, missing)


def _summed(
    stumps: NDArray[np.float64], numbers: NDArray[np.float64], missing: float
) -> NDArray[np.float64]:
    """Return what the stumps answer to some numbers, and to a missing one after them."""
    left = numbers[:, None] <= stumps[:, 0]
    answers = np.where(left, stumps[:, 1], stumps[:, 2]).sum(axis=1)
    return np.append(answers, missing)
