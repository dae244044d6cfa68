"""The core's metrics of the task *score*; rows count by their weight in each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Direction, MetricDefinition, ScoreOutcome, hookimpl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

BINS = 10
"""Bins of equal width of the expected calibration error."""

TOP = 0.1
"""Share of the rows, by score from high to low, that lift looks at."""

_SMALLEST = 1e-15  # keeps the loss of a certain but wrong probability finite


def auc(outcome: ScoreOutcome) -> float:
    """Area under the receiver operating characteristic; NaN where only one outcome occurred.

    The probability that a row with the event scores above one without, ties counting half.
    Source: T. Fawcett (2006), An introduction to ROC analysis, Pattern Recognition Letters 27.
    """
    events, others = _weights_by_score(outcome)
    below = np.cumsum(others) - others
    with np.errstate(invalid="ignore"):
        return float(events @ (below + others / 2.0) / (events.sum() * others.sum()))


def gini(outcome: ScoreOutcome) -> float:
    """2 AUC − 1."""
    return 2.0 * auc(outcome) - 1.0


def kolmogorov_smirnov(outcome: ScoreOutcome) -> float:
    """Largest distance between the score distributions with and without the event.

    NaN where only one outcome occurred.
    """
    events, others = _weights_by_score(outcome)
    if not events.sum() or not others.sum():
        return float("nan")
    distance = np.cumsum(events) / events.sum() - np.cumsum(others) / others.sum()
    return float(np.abs(distance).max())


def _weights_by_score(outcome: ScoreOutcome) -> tuple[FloatArray, FloatArray]:
    """Return the weight with and without the event at each distinct score, from low to high."""
    scores, place = np.unique(outcome.probability, return_inverse=True)
    count = len(scores)
    events = outcome.weight * outcome.actual
    return _sums(place, events, count), _sums(place, outcome.weight - events, count)


def _sums(place: NDArray[np.intp], values: FloatArray, count: int) -> FloatArray:
    return np.asarray(np.bincount(place, values, minlength=count), dtype=np.float64)


def lift(outcome: ScoreOutcome) -> float:
    """Share of events among the tenth with the highest scores, relative to that among all.

    Rows that tie at the edge of the tenth count in part. NaN where the event never occurred.
    """
    events, others = _weights_by_score(outcome)
    total = (events + others)[::-1]
    wanted = TOP * total.sum()
    taken = np.clip(wanted - (np.cumsum(total) - total), 0.0, total)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = float((events[::-1] * taken / total).sum())
        return float(found / wanted / (events.sum() / total.sum()))


def brier(outcome: ScoreOutcome) -> FloatArray:
    """(p − y)².

    Source: G. W. Brier (1950), Verification of forecasts expressed in terms of probability,
    Monthly Weather Review 78.
    """
    return np.asarray((outcome.probability - outcome.actual) ** 2)


def log_loss(outcome: ScoreOutcome) -> FloatArray:
    """−log of the probability of what happened, which counts as 1e−15 where it is less."""
    happened = np.where(outcome.actual == 1.0, outcome.probability, 1.0 - outcome.probability)
    return np.asarray(-np.log(np.maximum(happened, _SMALLEST)))


def calibration_error(outcome: ScoreOutcome) -> float:
    """Mean distance between predicted and observed share of events over bins of the score.

    Source: M. P. Naeini, G. Cooper and M. Hauskrecht (2015), Obtaining well calibrated
    probabilities using Bayesian binning, AAAI, with bins of equal width.
    """
    place = np.minimum((outcome.probability * BINS).astype(np.int64), BINS - 1)
    surplus = outcome.weight * (outcome.probability - outcome.actual)
    by_bin = _sums(place, surplus, BINS)
    with np.errstate(invalid="ignore"):
        return float(np.abs(by_bin).sum() / outcome.weight.sum())


@hookimpl
def loopcast_metrics() -> Sequence[MetricDefinition]:
    """Offer the metrics of the task *score*."""

    def score(
        name: str, title: str, direction: Direction, within: tuple[float, float], **way: Any
    ) -> MetricDefinition:
        return MetricDefinition(
            name=name, title=title, task="score", direction=direction, within=within, **way
        )

    share = (0.0, 1.0)
    return [
        score("auc", "AUC", "higher", share, whole=auc),
        score("gini", "Gini", "higher", (-1.0, 1.0), whole=gini),
        score("ks", "KS", "higher", share, whole=kolmogorov_smirnov),
        score("lift", "lift of the first tenth", "higher", (0.0, 1.0 / TOP), whole=lift),
        score("brier", "Brier score", "lower", share, rows=brier),
        score("log_loss", "log loss", "lower", (0.0, math.inf), rows=log_loss),
        score("calibration", "calibration error", "lower", share, whole=calibration_error),
    ]
