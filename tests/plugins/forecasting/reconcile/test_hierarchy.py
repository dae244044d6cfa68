from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    as_hierarchy,
    coherence_error,
    crossed,
    ols,
    reconcile,
    temporal,
    tree,
)


def test_nodes_in_any_order_are_the_same_hierarchy() -> None:
    rng = np.random.default_rng(0)
    S: Any = crossed([np.arange(30) // 6, rng.integers(0, 4, 30)])
    order = rng.permutation(S.shape[0])
    base = rng.normal(size=(S.shape[0], 3))
    expected = reconcile(S, base, ols(S))[order]
    shuffled = csr_array(S[order])
    found = reconcile(shuffled, base[order], ols(shuffled))
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_bottom_given_and_detected_agree_when_an_aggregate_has_one_child() -> None:
    S: Any = csr_array(np.array([[1.0, 1, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    base = np.array([10.0, 1, 3, 2, 4])
    detected = as_hierarchy(S)
    assert detected.bottom.tolist() == [2, 3, 4]
    assert detected.is_forest
    given_ = as_hierarchy(S, np.array([1, 3, 4]))
    np.testing.assert_allclose(
        reconcile(given_, base, ols(S)), reconcile(detected, base, ols(S)), rtol=1e-14
    )


def test_missing_bottom_row_is_an_error() -> None:
    with pytest.raises(DataError, match=r"1 bottom series .* first column 1"):
        as_hierarchy(csr_array([[1.0, 1.0], [1.0, 0.0]]))


def test_wrong_bottom_rows_are_an_error() -> None:
    S: Any = csr_array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(DataError, match="bottom must name 2 rows"):
        as_hierarchy(S, np.array([0, 2]))
    with pytest.raises(DataError, match="bottom must name 2 rows"):
        as_hierarchy(S, np.array([1]))


def test_weights_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(DataError, match="not finite"):
        as_hierarchy(csr_array([[1.0, np.nan], [1.0, 0.0], [0.0, 1.0]]))


def test_stored_zeros_and_duplicates_do_not_matter() -> None:
    S: Any = csr_array(
        ([1.0, 0.5, 0.5, 1.0, 0.0, 1.0], ([0, 0, 0, 1, 1, 2], [0, 1, 1, 0, 1, 1])), shape=(3, 2)
    )
    assert as_hierarchy(S).bottom.tolist() == [1, 2]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_child_sums_hold_exactly_the_coherent_vectors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 12))
    aggregates = rng.integers(0, 2, (int(rng.integers(0, 8)), m)).astype(float)
    if seed % 2:
        aggregates *= rng.choice([-1.0, 0.5, 2.0], aggregates.shape)
    S: Any = csr_array(np.vstack([aggregates, np.eye(m)]))
    hierarchy = as_hierarchy(S)
    y = S @ rng.normal(size=(m, 2))
    np.testing.assert_allclose(hierarchy.children @ y, y[hierarchy.aggregates], atol=1e-12)
    constraints = -hierarchy.children.toarray()
    constraints[np.arange(hierarchy.aggregates.size), hierarchy.aggregates] += 1.0
    assert np.linalg.matrix_rank(constraints) == hierarchy.aggregates.size


def test_nested_groupings_are_found_to_be_a_forest() -> None:
    index = np.arange(60)
    nested = as_hierarchy(crossed([index // 20, index // 5]))
    assert nested.is_forest
    assert nested.children.nnz == nested.n_nodes - 1
    assert not as_hierarchy(crossed([index // 20, index % 7])).is_forest


def test_means_of_means_are_a_forest() -> None:
    assert as_hierarchy(temporal([48, 2], 96, how="mean")).is_forest


def test_rows_that_are_no_multiples_are_summed_directly() -> None:
    S: Any = csr_array(np.array([[1.0, 2, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    hierarchy = as_hierarchy(S)
    np.testing.assert_allclose(hierarchy.children.toarray()[0], [0, 0, 1, 2, 1])


def test_coherence_error_is_relative_to_the_terms() -> None:
    hierarchy = tree([-1, 0, 0])
    assert coherence_error(hierarchy, np.array([3e6, 1e6, 2e6])) == 0.0
    assert coherence_error(hierarchy, np.array([3.03, 1.0, 2.0])) == pytest.approx(0.01)
    assert coherence_error(hierarchy, np.array([1.0, 0.0, 0.0])) == np.inf
    assert np.isnan(coherence_error(hierarchy, np.array([np.nan, 0.0, 0.0])))
