from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    Hierarchy,
    coherence_error,
    crossed,
    ols,
    reconcile,
    shrinkage,
    tree,
    variance_scaled,
)

Array = NDArray[np.float64]
Problem = Callable[[Hierarchy, int], tuple[Array, Array]]
Dense = Callable[[Covariance], Array]


def assert_optimal(
    S: csr_array[np.float64], W: Array, base: Array, bottom: Array, *, lower: float, upper: float
) -> None:
    """Check the Karush-Kuhn-Tucker conditions, multipliers in units of the series."""
    assert bottom.min() >= lower
    assert bottom.max() <= upper
    dense = S.toarray()
    weighted = np.linalg.solve(W, dense)
    gradient = weighted.T @ (dense @ bottom - base)
    step = gradient / np.einsum("ij,ij->j", dense, weighted)[:, None]
    tolerance = 1e-9 * np.abs(base).max()
    inside = (bottom > lower) & (bottom < upper)
    assert np.all(np.abs(step[inside]) <= tolerance)
    assert np.all(step[bottom <= lower] >= -tolerance)
    assert np.all(step[bottom >= upper] <= tolerance)


@pytest.mark.parametrize("method", ["variance", "shrinkage"])
def test_nonnegative_meets_the_optimality_conditions(
    method: str, small_panel: Hierarchy, problem: Problem, dense_covariance: Dense
) -> None:
    base, errors = problem(small_panel, 11)
    base[small_panel.bottom] -= 100.0
    estimate = variance_scaled if method == "variance" else shrinkage
    covariance = estimate(small_panel, errors, floor=1e-3)
    found = reconcile(small_panel, base, covariance, lower=0.0)
    bottom = found[small_panel.bottom]
    assert 0.05 < (bottom == 0.0).mean() < 0.95
    assert coherence_error(small_panel, found) <= 1e-12
    W = dense_covariance(covariance)
    assert_optimal(small_panel.summing, W, base, bottom, lower=0.0, upper=np.inf)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), cross=st.booleans())
def test_two_sided_bounds_equal_a_bounded_least_squares_solver(seed: int, cross: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = [np.arange(24) // 8, np.arange(24) // 3]
    S: Any = crossed([*labels, rng.integers(0, 4, 24)] if cross else labels)
    variance = rng.lognormal(sigma=1.5, size=S.shape[0])
    base = 3 * rng.normal(size=(S.shape[0], 1))
    found = reconcile(S, base, Covariance(variance), lower=-0.5, upper=1.0)[-24:]
    assert_optimal(S, np.diag(variance), base, found, lower=-0.5, upper=1.0)
    white = S.toarray() / np.sqrt(variance)[:, None]
    reference = lsq_linear(white, base[:, 0] / np.sqrt(variance), (-0.5, 1.0), tol=1e-14).x
    np.testing.assert_allclose(found[:, 0], reference, atol=1e-6)


def test_a_bound_for_each_node() -> None:
    hierarchy = tree([-1, 0, 0, 0])
    upper = np.array([np.inf, 1.0, np.inf, np.inf])
    found = reconcile(hierarchy, np.array([9.0, 3.0, 2.0, 2.0]), ols(hierarchy), upper=upper)
    np.testing.assert_allclose(found, [23 / 3, 1.0, 10 / 3, 10 / 3])


def test_equal_bounds_fix_a_series() -> None:
    hierarchy = tree([-1, 0, 0])
    bound = np.array([np.inf, 2.0, np.inf])
    found = reconcile(
        hierarchy,
        np.array([9.0, 1.0, 2.0]),
        ols(hierarchy),
        lower=-1 * -bound * [-1, 1, -1],
        upper=bound,
    )
    np.testing.assert_allclose(found, [6.5, 2.0, 4.5])


def test_bounds_with_pinned_and_missing_nodes() -> None:
    hierarchy = tree([-1, 0, 0, 1, 1, 1, 2, 2])
    base = np.array([10.0, np.nan, 9.0, 4.0, np.nan, -3.0, 6.0, 1.0])
    pinned = np.array([True, *[False] * 7])
    found = reconcile(hierarchy, base, ols(hierarchy), pinned=pinned, lower=0.0)
    assert found[0] == 10.0
    assert found[hierarchy.bottom].min() == 0.0
    assert coherence_error(hierarchy, found) <= 1e-12
    assert found[5] == 0.0


def test_all_on_the_bound() -> None:
    hierarchy = tree([-1, 0, 0, 1, 1, 2, 2])
    found = reconcile(hierarchy, -np.arange(1.0, 8.0), ols(hierarchy), lower=0.0)
    assert found.tolist() == [0.0] * 7


def test_bad_bounds() -> None:
    hierarchy = tree([-1, 0, 0])
    base, W = np.ones(3), ols(hierarchy)
    with pytest.raises(DataError, match="1 aggregates are bounded, first node 0"):
        reconcile(hierarchy, base, W, lower=np.array([0.0, -np.inf, -np.inf]))
    with pytest.raises(DataError, match="2 bottom series have a lower bound"):
        reconcile(hierarchy, base, W, lower=2.0, upper=1.0)
    with pytest.raises(DataError, match=r"bounds have shape \(2,\)"):
        reconcile(hierarchy, base, W, lower=np.zeros(2))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), cross=st.booleans())
def test_pinned_sums_and_bounds_together(seed: int, cross: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = [np.arange(12) // 6, np.arange(12) // 2]
    S: Any = crossed([*labels, rng.integers(0, 3, 12)] if cross else labels)
    schedule = S @ (rng.uniform(0, 1.5, 12) * (rng.random(12) < 0.7))
    base = schedule + 2 * rng.normal(size=S.shape[0])
    pinned = rng.random(S.shape[0]) < 0.25
    base[pinned] = schedule[pinned]
    variance = rng.lognormal(size=S.shape[0])
    found = reconcile(S, base, Covariance(variance), pinned=pinned, lower=0.0, upper=1.5)
    assert np.array_equal(found[pinned], base[pinned])
    assert coherence_error(S, found) <= 1e-9
    bottom = found[-12:]
    assert bottom.min() >= 0.0
    assert bottom.max() <= 1.5
    # No feasible direction towards the schedule's own series, or a random one, improves.
    weight = np.where(pinned, 0.0, 1 / variance)
    gradient = S.T @ (weight * (found - base))
    feasible = reconcile(
        S,
        schedule + rng.normal(size=S.shape[0]) * ~pinned,
        Covariance(variance),
        pinned=pinned,
        lower=0.0,
        upper=1.5,
    )[-12:]
    scale = np.abs(S.T @ (weight * np.abs(found - base))).max() + 1.0
    assert gradient @ (feasible - bottom) >= -1e-8 * scale


def test_strongly_coupled_series_that_exchanges_at_once_never_settle() -> None:
    rng = np.random.default_rng(83)
    S: Any = crossed([np.arange(300) // 60, np.arange(300) // 15, rng.integers(0, 4, 300)])
    variance = rng.lognormal(sigma=5.0, size=S.shape[0])
    variance[rng.random(S.shape[0]) < 0.1] = 1e-6
    base = 100 * rng.normal(size=(S.shape[0], 3))
    found = reconcile(S, base, Covariance(variance), lower=0.0, upper=1.0)
    assert_optimal(S, np.diag(variance), base, found[-300:], lower=0.0, upper=1.0)


def test_no_room_for_a_schedule() -> None:
    hierarchy = tree([-1, 0, 0])
    pinned = np.array([True, False, False])
    with pytest.raises(DataError, match="keep within the bounds"):
        reconcile(hierarchy, np.array([5.0, 1, 1]), ols(hierarchy), pinned=pinned, upper=2.0)
