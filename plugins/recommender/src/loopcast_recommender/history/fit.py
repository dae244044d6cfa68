"""Choosing options on choices that are held out of the training data, and fitting with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import RankData
from loopcast_recommender.history.inner import Validation, clearly_better, hold_out
from loopcast_recommender.history.model import POPULARITY, HistoryModel, Tuning, make_model, scores
from loopcast_recommender.interactions import choices, presence, remembered
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast_recommender.history.hyperparameters import TuningParameters
    from loopcast_recommender.history.method import Method, Scorer


def fit_tuned(
    data: RankData, method: Method[Any], options: Sequence[Any], p: TuningParameters, seed: int
) -> HistoryModel:
    """Fit one segment with the best of the options.

    Where nothing can be held out, the middle one is taken.

    Raises
    ------
    DataError
        Where there is nothing to learn from.
    """
    known = choices(data)
    inner = hold_out(data, p.inner, p.count, seed)
    if inner is None:
        middle = Tuning(option=options[len(options) // 2], half_life=p.half_lives[0])
        return make_model(known, middle, method)
    return make_model(known, _tuned(inner, method, options, p.half_lives), method)


def refit(model: HistoryModel, data: RankData, method: Method[Any]) -> HistoryModel:
    """Fit other data with what was chosen for a model before."""
    return make_model(choices(data), model.tuning, method)


def popular(model: HistoryModel) -> HistoryModel:
    """Return the model of the same choices that ranks by popularity."""
    return replace(model, tuning=POPULARITY, scorer=None)


def _tuned(
    inner: Validation,
    method: Method[Any],
    options: Sequence[Any],
    half_lives: Sequence[float | None],
) -> Tuning:
    """Choose the option with the first half-life, then the half-life with that option."""
    present = presence(inner.training)
    share = popularity(present)

    @cache
    def histories(half_life: float | None) -> list[sparse.csr_array]:
        return inner.histories(remembered(inner.training, half_life))

    def quality(scorer: Scorer | None, half_life: float | None) -> NDArray[np.float64]:
        return inner.quality(histories(half_life), lambda rows: scores(rows, scorer, share))

    first = half_lives[0]
    solved = method.solve(present, options)
    by_option = [quality(scorer, first) for scorer in solved]
    best = int(np.argmax([each.mean() for each in by_option]))
    lives = {first: by_option[best]}
    lives |= {life: quality(solved[best], life) for life in half_lives[1:]}
    life = max(lives, key=lambda each: lives[each].mean())
    life = life if clearly_better(lives[life], lives[first]) else first
    if clearly_better(lives[life], quality(None, None)):
        return Tuning(option=options[best], half_life=life)
    return POPULARITY
