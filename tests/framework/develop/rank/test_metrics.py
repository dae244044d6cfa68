from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loopcast.api import Ranking, RankOutcome, take
from loopcast.develop.metrics import measure
from loopcast.develop.rank.metrics import (
    average_precision,
    item_coverage,
    loopcast_metrics,
    ndcg,
    novelty,
    precision,
    rating_rmse,
    recall,
)

ITEMS, LENGTH = 30, 8


def drawn(seed: int, entities: int = 40) -> RankOutcome:
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(ITEMS)[:LENGTH] for _ in range(entities)]).astype(np.int32)
    items[rng.random(items.shape) < 0.1] = -1
    count = rng.integers(1, 12, entities)
    entity = np.repeat(np.arange(entities), count).astype(np.int32)
    return RankOutcome(
        ranking=Ranking(items=items, scores=np.where(items >= 0, 1.0, np.nan).astype(np.float32)),
        chosen_entity=entity,
        chosen_item=rng.integers(0, ITEMS, len(entity)).astype(np.int32),
        popularity=np.full(ITEMS, 1 / ITEMS),
    )


def chosen_by(outcome: RankOutcome, row: int) -> set[int]:
    return set(outcome.chosen_item[outcome.chosen_entity == row].tolist())


@pytest.mark.parametrize("seed", range(5))
def test_metrics_follow_their_definitions(seed: int) -> None:
    found = drawn(seed)
    values = [measure_row(found, row) for row in range(len(found.ranking.items))]
    for function, expected in zip(
        (ndcg, recall, precision, average_precision), zip(*values, strict=True), strict=True
    ):
        np.testing.assert_allclose(function(found), expected)
    listed = set(found.ranking.items.ravel().tolist()) - {-1}
    assert item_coverage(found) == len(listed) / ITEMS


def measure_row(outcome: RankOutcome, row: int) -> tuple[float, float, float, float]:
    """One entity by the textbook, place by place."""
    chosen = chosen_by(outcome, row)
    gain, hits, precisions = 0.0, 0, 0.0
    for place, item in enumerate(outcome.ranking.items[row].tolist(), start=1):
        if item in chosen:
            hits += 1
            gain += 1 / np.log2(place + 1)
            precisions += hits / place
    possible = min(len(chosen), LENGTH)
    best = sum(1 / np.log2(place + 1) for place in range(1, possible + 1))
    return gain / best, hits / len(chosen), hits / LENGTH, precisions / possible


def test_ndcg_is_that_of_scikit_learn() -> None:
    ndcg_score = pytest.importorskip("sklearn.metrics").ndcg_score
    found = drawn(9)
    relevant = np.zeros((len(found.ranking.items), ITEMS))
    relevant[found.chosen_entity, found.chosen_item] = 1.0
    scores = np.zeros_like(relevant)
    places = np.arange(LENGTH, 0, -1.0)
    keep = (found.ranking.items >= 0).all(axis=1)
    for row in np.flatnonzero(keep):
        scores[row, found.ranking.items[row]] = places
    expected = [
        ndcg_score(relevant[[row]], scores[[row]], k=LENGTH) for row in np.flatnonzero(keep)
    ]
    assert keep.sum() > 5
    np.testing.assert_allclose(ndcg(found)[keep], expected)


def test_a_subset_of_entities_is_measured_alone() -> None:
    found = drawn(4)
    some = np.arange(0, 40, 3)
    part = take(found, some)
    np.testing.assert_allclose(recall(part), recall(found)[some])
    np.testing.assert_allclose(ndcg(part), ndcg(found)[some])
    subsets = {"": np.arange(40), "third=0": some}
    by_key = {
        (m.name, m.subset): m.value
        for metric in loopcast_metrics()
        for m in measure(found, metric, subsets)
    }
    assert by_key["map", "third=0"] == pytest.approx(average_precision(found)[some].mean())
    assert by_key["item_coverage", "third=0"] == item_coverage(part)
    assert by_key["item_coverage", ""] == item_coverage(found)


def test_an_entity_that_chose_nothing_leaves_the_mean_undefined() -> None:
    found = drawn(1, entities=3)
    silent = RankOutcome(
        ranking=found.ranking,
        chosen_entity=np.array([0], np.int32),
        chosen_item=np.array([5], np.int32),
        popularity=found.popularity,
    )
    assert np.isnan(ndcg(silent)).tolist() == [False, True, True]
    [metric] = measure(silent, loopcast_metrics()[0], {"": np.arange(3)})
    assert (metric.value, metric.count) == (None, 3)


def test_novelty_is_the_surprise_of_what_is_shown() -> None:
    found = drawn(1, entities=2)
    share = np.full(ITEMS, 0.25)
    assert novelty(replace(found, popularity=share)) == 2.0
    share[found.ranking.items.max()] = 0.0
    assert novelty(replace(found, popularity=share)) == np.inf
    nothing = Ranking(items=np.full((2, 3), -1, np.int32), scores=np.full((2, 3), np.nan))
    assert np.isnan(novelty(replace(found, ranking=nothing)))


def test_ratings_are_measured_where_they_are_expected() -> None:
    found = drawn(2, entities=3)
    count = len(found.chosen_item)
    assert np.isnan(rating_rmse(found))
    value = np.arange(count, dtype=np.float32)
    rated = replace(found, chosen_value=value, expected_value=value + found.chosen_entity)
    assert rating_rmse(rated) == pytest.approx(np.sqrt(np.mean(found.chosen_entity**2.0)))
    assert rating_rmse(take(rated, np.array([2]))) == pytest.approx(2.0)
