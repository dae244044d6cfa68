from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loopcast_forecasting.boosted.weights import combination_weights


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_weights_are_shares(seed: int, members: int) -> None:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(200, 1))
    errors = common + rng.normal(size=(200, members)) * rng.uniform(0.01, 3, members)
    weights = combination_weights(errors)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(combination_weights(1000 * errors), weights, atol=1e-5)


def test_weights_solve_the_penalised_problem() -> None:
    rng = np.random.default_rng(2)
    errors = rng.normal(size=(500, 1)) + rng.normal(size=(500, 3)) * [0.3, 0.5, 2.0]
    strength = ((errors - errors.mean(axis=1, keepdims=True)) ** 2).sum() / 3

    def cost(w: Any) -> float:
        return float(((errors @ w) ** 2).sum() + strength * ((w - 1 / 3) ** 2).sum())

    grid = np.linspace(0, 1, 201)
    candidates = [(a, b, 1 - a - b) for a in grid for b in grid if a + b <= 1]
    best = min(candidates, key=lambda w: cost(np.array(w)))
    np.testing.assert_allclose(combination_weights(errors), best, atol=0.006)


def test_members_that_agree_count_the_same() -> None:
    same = np.repeat(np.random.default_rng(4).normal(size=(50, 1)), 3, axis=1)
    np.testing.assert_allclose(combination_weights(same), 1 / 3, rtol=1e-3)
    np.testing.assert_allclose(combination_weights(np.zeros((5, 3))), 1 / 3)


def test_rows_without_an_error_do_not_count() -> None:
    rng = np.random.default_rng(5)
    errors = rng.normal(size=(100, 3)) * [1, 2, 3]
    holed = np.vstack([errors, [[np.nan, 99, 99]]])
    np.testing.assert_array_equal(combination_weights(holed), combination_weights(errors))
