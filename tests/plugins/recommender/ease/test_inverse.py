from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import ConvergenceError
from loopcast_recommender.ease.inverse import inverted


def counts(items: int, seed: int) -> NDArray[np.float32]:
    """How many of some entities chose both of two items."""
    chosen = (np.random.default_rng(seed).random((300, items)) < 0.3).astype(np.float32)
    return np.asarray(chosen.T @ chosen)


def far_from(found: NDArray[np.floating], gram: NDArray[np.float32], ridge: float) -> float:
    """Return the error of an inverse, by the size of what it should be."""
    expected = np.linalg.inv(gram.astype(np.float64) + ridge * np.eye(len(gram)))
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@settings(deadline=None, max_examples=30)
@given(items=st.integers(1, 200), ridge=st.floats(0.1, 1000.0), seed=st.integers(0, 99))
def test_four_digits_are_right_in_whatever_precision(items: int, ridge: float, seed: int) -> None:
    gram = counts(items, seed)
    assert far_from(inverted(gram, ridge), gram, ridge) < 1e-4


@pytest.mark.parametrize("items", [2, 130, 200])
def test_single_precision_keeps_four_digits_of_the_worst_that_it_is_given(items: int) -> None:
    alike = np.full((items, items), 200.0 / items, np.float32)
    found = inverted(alike, 1.001)
    assert found.dtype == np.float32
    assert far_from(found, alike, 1.001) < 1e-4


def test_a_small_ridge_beside_large_counts_is_worked_out_in_double_precision() -> None:
    alike = np.full((130, 130), 2.0**20, np.float32)
    found = inverted(alike, 1.0)
    assert found.dtype == np.float64
    assert far_from(found, alike, 1.0) < 1e-7


@pytest.mark.parametrize("ridge", [1.0, 300.0])
def test_what_memory_held_before_does_not_show(ridge: float) -> None:
    gram = counts(130, seed=1)
    first = inverted(gram, ridge)
    for _ in range(5):
        used = [np.full((130, 130), np.nan, first.dtype) for _ in range(6)]
        del used
        assert np.array_equal(inverted(gram, ridge), first)


def test_a_ridge_that_is_lost_beside_the_entries_is_refused() -> None:
    with pytest.raises(ConvergenceError, match="ridge 1e-12 is too small for 2 rows"):
        inverted(np.full((2, 2), 1e8, np.float32), 1e-12)
