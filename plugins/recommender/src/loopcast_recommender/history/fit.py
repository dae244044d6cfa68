"""Choosing options on choices that are held out of the training data, and fitting with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from loopcast.api import RankData
from loopcast_recommender.history.inner import Validation, clearly_better, hold_out
from loopcast_recommender.history.model import POPULARITY, HistoryModel, Tuning, make_model, scores
from loopcast_recommender.history.search import highest, uphill
from loopcast_recommender.interactions import choices, presence
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_recommender.history.hyperparameters import TuningParameters
    from loopcast_recommender.history.method import Method

_GROWN = 1.1
"""Choices, in those of the last training, with which each one looks for other options."""


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What there is to choose from, and where a search begins.

    Attributes
    ----------
    held
        Whether the start is a champion's, which another option has to be clearly better than.
    """

    options: Sequence[Any]
    half_lives: Sequence[float | None]
    start: Tuning
    held: bool


def fit_tuned(
    data: RankData,
    method: Method[Any],
    options: Sequence[Any],
    p: TuningParameters,
    seed: int,
    *,
    champion: HistoryModel | None = None,
    tried: np.datetime64 | None = None,
) -> HistoryModel:
    """Fit one segment with the best of the options.

    Where nothing can be held out, it is that at which the search would begin.

    Parameters
    ----------
    champion
        Begin at its options, and move from there for what is clearly better, where it is the
        training's turn to look for any; at the middle option and the first half-life where there is
        none, or it ranks by popularity.
    tried
        When a training beside the champion last gave nothing better.

    Raises
    ------
    DataError
        Where there is nothing to learn from.
    """
    known, search = choices(data), _search(options, p.half_lives, champion)
    if champion is not None and search.held and not _turn(data, champion, tried, p.search_every):
        return make_model(known, search.start, method)
    inner = hold_out(data, p.inner, p.count, seed)
    tuning = search.start if inner is None else _tuned(inner, method, search)
    return make_model(known, tuning, method)


def refit(model: HistoryModel, data: RankData, method: Method[Any]) -> HistoryModel:
    """Fit other data with what was chosen for a model before."""
    return make_model(choices(data), model.tuning, method)


def popular(model: HistoryModel) -> HistoryModel:
    """Return the model of the same choices that ranks by popularity."""
    return model if model.scorer is None else replace(model, tuning=POPULARITY, scorer=None)


def _search(
    options: Sequence[Any], half_lives: Sequence[float | None], champion: HistoryModel | None
) -> _Search:
    """Begin at a champion's options where they can be chosen still."""
    before = POPULARITY if champion is None else champion.tuning
    held = before.option in options and before.half_life in half_lives
    middle = Tuning(option=options[len(options) // 2], half_life=half_lives[0])
    start = before if held else middle
    return _Search(options=options, half_lives=half_lives, start=start, held=held)


def _turn(data: RankData, champion: HistoryModel, tried: np.datetime64 | None, every: int) -> bool:
    """Tell whether options are looked for: where data has grown, and else one time in so many.

    The draw follows from how much data there is and when it ends: the same data always gives the
    same model, and no night is the turn of a whole family.
    """
    if crc32(data.time[-1:].tobytes(), len(data.time)) % every == 0:
        return True
    if tried is None:
        return data.choices.nnz > _GROWN * champion.choices.nnz
    return len(data.time) > _GROWN * int(data.time.searchsorted(tried, side="right"))


def _tuned(inner: Validation, method: Method[Any], search: _Search) -> Tuning:
    """Choose the option with the half-life of the start, then the half-life with that option.

    A first training tries each half-life, a later one goes on from that of its champion.
    """
    present, start = presence(inner.training), search.start
    share, learn = popularity(present.indices, present.shape), cache(method.learn(present))
    histories = cache(inner.histories)

    @cache
    def quality(tuning: Tuning) -> NDArray[np.float64]:
        scorer = None if tuning.option is None else learn(tuning.option)
        return inner.quality(histories(tuning.half_life), lambda rows: scores(rows, scorer, share))

    def mean(tuning: Tuning) -> float:
        return float(quality(tuning).mean())

    def clearly(found: Tuning, than: Tuning) -> Tuning:
        return found if clearly_better(quality(found), quality(than)) else than

    def moved(found: Tuning, before: Tuning) -> Tuning:
        return clearly(found, before) if search.held else found

    options = [replace(start, option=option) for option in search.options]
    first = options.index(start)
    best = uphill(options, mean, first) if method.ordered else highest(options, mean)
    best = moved(best, start)
    lives = [replace(best, half_life=half_life) for half_life in search.half_lives]
    kept = search.half_lives.index(start.half_life)
    life = uphill(lives, mean, kept) if search.held else highest(lives, mean)
    return clearly(moved(life, best), POPULARITY)
