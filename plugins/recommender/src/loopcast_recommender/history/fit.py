"""Choosing options on choices that are held out of the training data, and fitting with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import RankData
from loopcast_recommender.history.inner import Validation, clearly_better, hold_out
from loopcast_recommender.history.model import POPULARITY, HistoryModel, Tuning, make_model, scores
from loopcast_recommender.history.search import highest, uphill
from loopcast_recommender.interactions import choices, presence
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast_recommender.history.hyperparameters import TuningParameters
    from loopcast_recommender.history.method import Method


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
    present, first = presence(inner.training), half_lives[0]
    share, learn = popularity(present.indices, present.shape), cache(method.learn(present))

    @cache
    def histories(half_life: float | None) -> list[sparse.csr_array]:
        return inner.histories(half_life)

    @cache
    def quality(option: Any, half_life: float | None) -> NDArray[np.float64]:
        scorer = None if option is None else learn(option)
        return inner.quality(histories(half_life), lambda rows: scores(rows, scorer, share))

    def mean(option: Any, half_life: float | None = first) -> float:
        return float(quality(option, half_life).mean())

    middle = len(options) // 2
    option = uphill(options, mean, middle) if method.ordered else highest(options, mean)
    life = highest(half_lives, partial(mean, option))
    life = life if clearly_better(quality(option, life), quality(option, first)) else first
    if clearly_better(quality(option, life), quality(None, None)):
        return Tuning(option=option, half_life=life)
    return POPULARITY
