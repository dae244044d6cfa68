"""What every answer of a model has to be, whatever it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Forecast, ForecastQuery, Ranking, RankQuery, Scores

if TYPE_CHECKING:
    import pandas as pd

    Inputs = ForecastQuery | pd.DataFrame | RankQuery
    Answer = Forecast | Scores | Ranking

RANGE = 10.0
"""How many times the largest actual a forecast for ordinary inputs may be."""


def problem_of(inputs: Inputs, answer: Answer, *, ordinary: bool = True) -> str:
    """Say what is wrong with an answer; the empty string where nothing is.

    Parameters
    ----------
    ordinary
        Whether a forecast also has to lie in the range of what was known.
    """
    if isinstance(answer, Forecast):
        assert isinstance(inputs, ForecastQuery)
        return _of_forecast(inputs, answer, ordinary=ordinary)
    if isinstance(answer, Scores):
        assert not isinstance(inputs, ForecastQuery | RankQuery)
        return _of_scores(inputs, answer)
    assert isinstance(inputs, RankQuery)
    return _of_ranking(inputs, answer)


def _of_forecast(query: ForecastQuery, answer: Forecast, *, ordinary: bool) -> str:
    shape = len(query.horizon), len(query.known.series)
    if answer.mean.shape != shape:
        return f"shape {answer.mean.shape}, expected {shape}"
    missing = ~np.isfinite(answer.mean)
    if missing.any():
        return f"{missing.sum()} of {missing.size} values are not finite"
    actuals = np.abs(query.known.target.to_numpy())
    largest = actuals[np.isfinite(actuals)].max(initial=0.0)
    beyond = np.abs(answer.mean) > RANGE * largest
    if ordinary and largest > 0.0 and beyond.any():
        return f"up to {np.abs(answer.mean).max():.4g}, where actuals reach {largest:.4g}"
    return ""


def _of_scores(rows: pd.DataFrame, answer: Scores) -> str:
    probability = answer.probability
    if probability.shape != (len(rows),):
        return f"shape {probability.shape}, expected ({len(rows)},)"
    wrong = ~((probability >= 0.0) & (probability <= 1.0))
    return f"{wrong.sum()} of {len(rows)} are no probabilities" if wrong.any() else ""


def _of_ranking(query: RankQuery, answer: Ranking) -> str:
    items, shape = answer.items, (len(query.entities), query.length)
    if items.shape != shape:
        return f"shape {items.shape}, expected {shape}"
    filled = items >= 0
    if items.max(initial=-1) >= len(query.allowed):
        return f"item {items.max()}, where there are {len(query.allowed)}"
    if not np.isfinite(answer.scores[filled]).all():
        return "items with a score that is not finite"
    if not query.allowed[items[filled]].all():
        return "items that are not allowed"
    width = np.int64(len(query.allowed))
    pairs = filled.nonzero()[0] * width + items[filled]
    if query.excluded is not None:
        row, item = query.excluded.nonzero()
        if np.isin(pairs, row * width + item).any():
            return "items that are excluded"
    return "an item twice in one list" if len(np.unique(pairs)) < len(pairs) else ""


def distance(one: Answer, two: Answer) -> float:
    """Return the largest distance of two answers to the same question.

    Forecast: relative to the largest value. Score: of probabilities. Rank: of scores at equal
    places, so that items of equal scores may change places; infinite where only one has an item.
    """
    if isinstance(one, Forecast) and isinstance(two, Forecast):
        scale = np.abs(two.mean).max(initial=0.0) or 1.0
        return _largest(one.mean - two.mean) / float(scale)
    if isinstance(one, Scores) and isinstance(two, Scores):
        return _largest(one.probability - two.probability)
    assert isinstance(one, Ranking)
    assert isinstance(two, Ranking)
    filled = one.items >= 0
    if not np.array_equal(filled, two.items >= 0):
        return float("inf")
    return _largest(one.scores[filled].astype(np.float64) - two.scores[filled])


def _largest(difference: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    if not len(difference):
        return 0.0
    return float(np.abs(difference).max()) if np.isfinite(difference).all() else float("inf")
