"""Logistic regression on numbers and on indicators of categories, as a card.

A number counts by its distance from the mean in standard deviations, and beyond the range that
training saw as the nearest number that it saw. *Missing*, each category, and *other* have
indicators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ScoreData
from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scorer import AdditiveScorer
from loopcast_credit.bins.bins import Bins, CategoryBins, NumericBins
from loopcast_credit.bins.groups import category_groups
from loopcast_credit.bins.make import is_number
from loopcast_credit.linear.hyperparameters import LogisticParameters
from loopcast_credit.linear.newton import newton

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class _Term:
    """The columns of a feature.

    Attributes
    ----------
    bins
        Of a number: below, within and above the range of training.
    codes : ndarray, shape (rows,)
    columns : ndarray, shape (rows, k)
        The number in standard deviations, where it varies, then an indicator for each of `seen`.
    seen : ndarray
        Bins that have an indicator.
    mean, spread
        Of the number; a spread of zero is no number, or one that does not vary.
    """

    bins: Bins
    codes: NDArray[Any]
    columns: NDArray[np.float64]
    seen: NDArray[np.int64]
    mean: float = 0.0
    spread: float = 0.0


def fit_logistic(data: ScoreData, p: LogisticParameters) -> AdditiveScorer:
    """Fit a logistic regression to the rows whose outcome is known.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConvergenceError
        Where Newton's method does not converge.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    terms = [_term(name, features[name], event, weight, p.rare) for name in features.columns]
    x = np.column_stack([term.columns for term in terms])
    penalty = np.full(x.shape[1], p.ridge)
    beta = newton(x, event, weight, np.zeros(len(event)), penalty)
    ends = np.cumsum([term.columns.shape[1] for term in terms])
    parts = np.split(beta[1:], ends[:-1])
    fitted = [_effect(term, part, event, weight) for term, part in zip(terms, parts, strict=True)]
    card = Card(
        event=str(data.schema.event),
        intercept=float(beta[0] + sum(level for _, level in fitted)),
        effects=tuple(effect for effect, _ in fitted),
        scale=p.scale,
    )
    return AdditiveScorer(card)


def _term(
    name: str,
    values: pd.Series[Any],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    rare: float,
) -> _Term:
    if is_number(values):
        return _number(name, values, weight)
    bins = CategoryBins(name=name, groups=category_groups(values, event, weight, len(values), rare))
    codes = bins.codes(values)
    seen = np.unique(codes).astype(np.int64)
    return _Term(bins, codes, _indicators(codes, seen), seen)


def _number(name: str, values: pd.Series[Any], weight: NDArray[np.float64]) -> _Term:
    x = values.to_numpy(np.float64)
    known = ~np.isnan(x)
    low, high = (float(x[known].min()), float(x[known].max())) if known.any() else (0.0, 0.0)
    bins = NumericBins(name=name, cuts=(low, high) if low < high else ())
    codes = bins.codes(values)
    seen = np.flatnonzero([not known.all()]) + bins.size - 1
    indicators = _indicators(codes, seen)
    if not low < high:
        return _Term(bins, codes, indicators, seen)
    mean = float(np.average(x[known], weights=weight[known]))
    spread = float(np.sqrt(np.average((x[known] - mean) ** 2, weights=weight[known])))
    standard = np.where(known, (x - mean) / spread, 0.0)
    return _Term(bins, codes, np.column_stack([standard, indicators]), seen, mean, spread)


def _indicators(codes: NDArray[Any], seen: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(codes[:, None] == seen, np.float64)


def _effect(
    term: _Term, beta: NDArray[np.float64], event: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[Effect, float]:
    """Return an effect that is zero on average, and the average that was taken from it."""
    bins = term.bins
    values, slopes = np.zeros(bins.size), np.zeros(bins.body)
    values[term.seen] = beta[len(beta) - len(term.seen) :]
    level = float(np.average(values[term.codes], weights=weight))
    seen = np.isin(np.arange(bins.size), term.codes) | (np.arange(bins.size) < bins.body)
    values[seen] -= level
    if term.spread and isinstance(bins, NumericBins):
        slope = beta[0] / term.spread
        anchors = np.array([bins.cuts[0], 0.0, bins.cuts[1]])
        values[:3] += slope * (anchors - term.mean)
        slopes[1] = slope
    effect = Effect(
        bins=bins,
        values=tuple(values.tolist()),
        slopes=tuple(slopes.tolist()) if slopes.any() else (),
        rows=tuple(np.bincount(term.codes, weight, minlength=bins.size).tolist()),
        events=tuple(np.bincount(term.codes, weight * event, minlength=bins.size).tolist()),
    )
    return effect, level
