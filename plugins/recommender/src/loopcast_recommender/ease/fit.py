"""Choosing the hyperparameters of EASE on choices that are held out of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import RankData
from loopcast_recommender.ease.model import EaseModel, Tuning, make_ease, scores
from loopcast_recommender.ease.weights import Weights, solve
from loopcast_recommender.inner import Validation, clearly_better, hold_out
from loopcast_recommender.interactions import choices, presence, remembered
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_recommender.ease.hyperparameters import EaseParameters


def fit_ease(data: RankData, p: EaseParameters, seed: int) -> EaseModel:
    """Fit one segment; raises ``DataError`` where there is nothing to learn from."""
    known = choices(data)
    inner = hold_out(data, p.inner, p.count, seed)
    if inner is None:
        middle = Tuning(ridge=p.ridges[len(p.ridges) // 2], half_life=p.half_lives[0])
        return make_ease(known, middle)
    return make_ease(known, _tuned(inner, p))


def _tuned(inner: Validation, p: EaseParameters) -> Tuning:
    """Choose the ridge with the first half-life, then the half-life with that ridge."""
    present = presence(inner.training)
    share = popularity(present)

    def quality(weights: Weights | None, half_life: float | None) -> NDArray[np.float64]:
        history = remembered(inner.training, half_life)
        return inner.quality(history, lambda rows: scores(rows, weights, share))

    first = p.half_lives[0]
    solved = {ridge: solve(present, ridge) for ridge in p.ridges}
    by_ridge = {ridge: quality(weights, first) for ridge, weights in solved.items()}
    ridge = max(by_ridge, key=lambda each: by_ridge[each].mean())
    by_life = {life: quality(solved[ridge], life) for life in p.half_lives}
    life = max(by_life, key=lambda each: by_life[each].mean())
    life = life if clearly_better(by_life[life], by_life[first]) else first
    if clearly_better(by_life[life], quality(None, None)):
        return Tuning(ridge=ridge, half_life=life)
    return Tuning(ridge=None, half_life=None)
