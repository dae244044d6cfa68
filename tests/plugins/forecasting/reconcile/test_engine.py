from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    Hierarchy,
    coherence_error,
    crossed,
    ols,
    prepare,
    reconcile,
    reconcile_blocks,
    structural,
    tree,
    variance_scaled,
)

Array = NDArray[np.float64]
Problem = Callable[[Hierarchy, int], tuple[Array, Array]]


def constrained(S: Array, variance: Array, base: Array, pinned: NDArray[np.bool_]) -> Array:
    """Least squares on nodes with a forecast, subject to pinned nodes, by its dense KKT system."""
    seen = ~np.isnan(base) & ~pinned
    weighted = S[seen].T / variance[seen]
    hold = S[pinned]
    system = np.block([[weighted @ S[seen], hold.T], [hold, np.zeros((len(hold),) * 2)]])
    right = np.concatenate([weighted @ base[seen], base[pinned]])
    result: Array = S @ np.linalg.lstsq(system, right, rcond=1e-14)[0][: S.shape[1]]
    return result


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), cross=st.booleans())
def test_missing_and_pinned_nodes_differ_by_column(seed: int, cross: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = [np.arange(24) // 8, np.arange(24) // 3]
    S: Any = crossed([*labels, rng.integers(0, 4, 24)] if cross else labels)
    n = S.shape[0]
    base = rng.normal(size=(n, 3)) + S @ rng.normal(size=(24, 3))
    variance = rng.lognormal(size=n)
    pinned = np.zeros(n, dtype=bool)
    pinned[[2, 5, n - 1]] = True
    base[rng.integers(8, 10), 1] = np.nan
    base[[0, 6, n - 10], 2] = np.nan
    found = reconcile(S, base, Covariance(variance), pinned=pinned)
    assert np.array_equal(found[pinned], base[pinned])
    assert coherence_error(S, found) <= 1e-12
    for column in range(3):
        expected = constrained(S.toarray(), variance, base[:, column], pinned)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-9)


def test_bottom_up_when_only_bottom_is_forecast(small_panel: Hierarchy) -> None:
    rng = np.random.default_rng(0)
    base = np.full(small_panel.n_nodes, np.nan)
    base[small_panel.bottom] = rng.normal(size=small_panel.bottom.size)
    found = reconcile(small_panel, base, structural(small_panel))
    expected = small_panel.summing @ base[small_panel.bottom]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_missing_bottom_is_what_its_siblings_leave() -> None:
    hierarchy = tree([-1, 0, 0, 1, 1])
    found = reconcile(hierarchy, np.array([10.0, 7.0, 3.0, 2.0, np.nan]), ols(hierarchy))
    np.testing.assert_allclose(found, [10.0, 7.0, 3.0, 2.0, 5.0])


@pytest.mark.parametrize("cross", [False, True])
def test_undetermined_nodes_are_an_error(cross: bool) -> None:
    labels = [np.arange(8) // 4]
    S: Any = crossed([*labels, np.arange(8) % 4] if cross else labels)
    base = np.ones(S.shape[0])
    base[-8:-4] = np.nan  # four series under one parent
    if cross:
        base[3:7] = np.nan
    with pytest.raises(DataError, match="missing forecasts leave"):
        reconcile(S, base, ols(S))


def test_a_series_without_any_forecast_is_an_error() -> None:
    hierarchy = tree([-1, 0, 0, -1])
    with pytest.raises(DataError, match="1 nodes undetermined, first node 3"):
        reconcile(hierarchy, np.array([3.0, 1.0, 2.0, np.nan]), ols(hierarchy))
    with pytest.raises(DataError, match="1 nodes undetermined, first node 0"):
        reconcile(tree([-1, 0]), np.array([np.nan, np.nan]), ols(tree([-1, 0])))


def test_schedules_pinned_over_a_whole_subtree() -> None:
    hierarchy = tree([-1, 0, 0, 1, 1])
    pinned = np.array([False, True, False, True, True])
    found = reconcile(hierarchy, np.array([9.0, 5.0, 3.0, 2.0, 3.0]), ols(hierarchy), pinned=pinned)
    np.testing.assert_allclose(found, [8.5, 5.0, 3.5, 2.0, 3.0])
    with pytest.raises(DataError, match=r"1 pinned nodes differ .* first node 1"):
        reconcile(hierarchy, np.array([9.0, 6.0, 3.0, 2.0, 3.0]), ols(hierarchy), pinned=pinned)


def test_coherent_forecasts_stay(small_panel: Hierarchy, problem: Problem) -> None:
    base, errors = problem(small_panel, 2)
    coherent: Any = small_panel.summing @ base[small_panel.bottom]
    found = reconcile(small_panel, coherent, variance_scaled(small_panel, errors))
    np.testing.assert_allclose(found, coherent, rtol=1e-11, atol=1e-12)


def test_units_do_not_matter(small_panel: Hierarchy, problem: Problem) -> None:
    base, errors = problem(small_panel, 2)
    found = reconcile(small_panel, base, variance_scaled(small_panel, errors))
    scaled = reconcile(small_panel, 1e9 * base, variance_scaled(small_panel, 1e9 * errors))
    np.testing.assert_allclose(scaled, 1e9 * found, rtol=1e-9, atol=1e-3)


def test_blocks_are_the_whole_in_parts(small_panel: Hierarchy) -> None:
    rng = np.random.default_rng(0)
    paths = rng.normal(size=(small_panel.n_nodes, 12))
    ready = prepare(small_panel, structural(small_panel), lower=0.0)
    parts = list(reconcile_blocks(ready, (paths[:, i : i + 5] for i in (0, 5, 10))))
    np.testing.assert_allclose(np.hstack(parts), ready(paths), atol=1e-12)


def test_input_is_left_alone_and_one_column_may_be_flat(small_panel: Hierarchy) -> None:
    base = np.random.default_rng(0).normal(size=small_panel.n_nodes)
    before = base.copy()
    found = reconcile(small_panel, base, ols(small_panel))
    assert found.shape == base.shape
    assert np.array_equal(base, before)
    np.testing.assert_allclose(
        found, reconcile(small_panel, base[:, None], ols(small_panel))[:, 0], atol=0
    )


def test_a_single_series() -> None:
    S: Any = csr_array([[1.0]])
    assert reconcile(S, np.array([2.0]), ols(S)).tolist() == [2.0]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (np.ones(4), r"shape \(4, 1\); expected \(3, k\)"),
        (np.array([1.0, np.inf, 1.0]), "node 1, column 0 is infinite"),
        (np.array([1.0, np.nan, 1.0]), "node 1 is pinned and has no value"),
    ],
)
def test_bad_forecasts(base: Array, message: str) -> None:
    hierarchy = tree([-1, 0, 0])
    pinned = np.array([False, True, False])
    with pytest.raises(DataError, match=message):
        reconcile(hierarchy, base, ols(hierarchy), pinned=pinned)


def test_bad_shapes() -> None:
    hierarchy = tree([-1, 0, 0])
    with pytest.raises(DataError, match="variances have shape"):
        reconcile(hierarchy, np.ones(3), Covariance(np.ones(2)))
    with pytest.raises(DataError, match="pinned have shape"):
        reconcile(hierarchy, np.ones(3), ols(hierarchy), pinned=np.array([True]))
