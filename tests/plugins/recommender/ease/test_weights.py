from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from loopcast_recommender.ease.weights import EntityWeights, ItemWeights, solver


def chosen(entities: int, items: int, seed: int) -> sparse.csr_array:
    drawn = np.random.default_rng(seed).random((entities, items)) < 0.3
    return sparse.csr_array(drawn.astype(np.float32))


def textbook(x: sparse.csr_array, ridge: float) -> NDArray[np.float64]:
    """Steck (2019), formula 8."""
    inverse: NDArray[np.float64] = np.linalg.inv(
        x.toarray().T @ x.toarray() + ridge * np.eye(x.shape[1])
    )
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@settings(deadline=None, max_examples=40)
@given(
    entities=st.integers(1, 25),
    items=st.integers(1, 25),
    ridge=st.floats(0.5, 300.0),
    seed=st.integers(0, 99),
)
def test_both_spaces_give_the_scores_of_the_textbook(
    entities: int, items: int, ridge: float, seed: int
) -> None:
    x = chosen(entities, items, seed)
    weights = solver(x)(ridge)
    assert isinstance(weights, ItemWeights if items <= entities else EntityWeights)
    history = chosen(7, items, seed + 1)
    expected = history.toarray() @ textbook(x, ridge)
    assert weights.score(history) == pytest.approx(expected, abs=2e-4)


def test_no_item_foretells_itself() -> None:
    x = chosen(10, 30, seed=1)
    alone = sparse.csr_array(np.eye(30, dtype=np.float32))
    weights = solver(x)(5.0)
    assert np.abs(np.diag(weights.score(alone))).max() < 1e-5


def test_large_and_small_products_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, history = chosen(30, 20, seed=3), chosen(5, 20, seed=4)
    dense = [solver(x)(ridge).score(history).tolist() for ridge in (2.0, 20.0)]
    monkeypatch.setattr("loopcast_recommender.ease.weights._SMALL", 0)
    assert [solver(x)(ridge).score(history).tolist() for ridge in (2.0, 20.0)] == dense
