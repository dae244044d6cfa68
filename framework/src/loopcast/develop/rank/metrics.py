"""The core's metrics of the task *rank*, at the length of the lists that are judged.

An item that an entity chose is relevant, and all relevant items are equally so. Source: C. D.
Manning, P. Raghavan and H. Schütze (2008), Introduction to Information Retrieval, section 8.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Direction, MetricDefinition, RankOutcome, hookimpl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


def ndcg(outcome: RankOutcome) -> FloatArray:
    """Discounted cumulative gain over that of the best list.

    Source: K. Järvelin and J. Kekäläinen (2002), Cumulated gain-based evaluation of IR
    techniques, ACM TOIS 20, with the discount log₂(1 + place).
    """
    hits, chosen = outcome.hits
    discount = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    best = np.cumsum(discount)
    possible = np.fmin(chosen, hits.shape[1]).astype(np.int64)
    return np.asarray(np.where(np.isnan(chosen), np.nan, hits @ discount / best[possible - 1]))


def recall(outcome: RankOutcome) -> FloatArray:
    """Share of the chosen items that the list holds."""
    hits, chosen = outcome.hits
    return np.asarray(hits.sum(axis=1) / chosen)


def precision(outcome: RankOutcome) -> FloatArray:
    """Share of the list that was chosen; an empty place counts as a miss."""
    hits, _ = outcome.hits
    return np.asarray(hits.mean(axis=1))


def average_precision(outcome: RankOutcome) -> FloatArray:
    """Mean of the precision at each hit, over as many hits as the list could have had."""
    hits, chosen = outcome.hits
    at_place = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((at_place * hits).sum(axis=1) / np.minimum(chosen, hits.shape[1]))


def item_coverage(outcome: RankOutcome) -> float:
    """Share of the known items that at least one list holds."""
    count = len(outcome.popularity)
    shown = np.zeros(count + 1, dtype=bool)  # an empty place, −1, is the last
    shown[outcome.ranking.items] = True
    return np.count_nonzero(shown[:count]) / count if count else float("nan")


def novelty(outcome: RankOutcome) -> float:
    """Mean of −log₂ of the popularity of what the lists hold: bits of surprise.

    Source: T. Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of recommender
    systems, PNAS 107.
    """
    listed = outcome.ranking.items[outcome.ranking.items >= 0]
    with np.errstate(divide="ignore"):
        surprise = -np.log2(outcome.popularity)
    return float(surprise[listed].mean()) if len(listed) else float("nan")


def rating_rmse(outcome: RankOutcome) -> float:
    """Root of the mean squared difference of ratings and what was expected of them."""
    if outcome.chosen_value is None or outcome.expected_value is None:
        return float("nan")
    error = outcome.chosen_value.astype(np.float64) - outcome.expected_value
    return float(np.sqrt(np.mean(error**2))) if len(error) else float("nan")


@hookimpl
def loopcast_metrics() -> Sequence[MetricDefinition]:
    """Offer the metrics of the task *rank*."""
    by_entity = {
        "ndcg": ("nDCG", ndcg),
        "recall": ("recall", recall),
        "precision": ("precision", precision),
        "map": ("MAP", average_precision),
    }
    return [
        *(
            MetricDefinition(
                name=name,
                title=title,
                task="rank",
                direction="higher",
                rows=rows,
                within=(0.0, 1.0),
            )
            for name, (title, rows) in by_entity.items()
        ),
        _whole("item_coverage", "coverage of the items", "higher", item_coverage, most=1.0),
        _whole("novelty", "novelty, bits", "higher", novelty),
        _whole("rating_rmse", "RMSE of ratings", "lower", rating_rmse),
    ]


def _whole(
    name: str,
    title: str,
    direction: Direction,
    whole: Callable[[RankOutcome], float],
    most: float = math.inf,
) -> MetricDefinition:
    return MetricDefinition(
        name=name, title=title, task="rank", direction=direction, whole=whole, within=(0.0, most)
    )
