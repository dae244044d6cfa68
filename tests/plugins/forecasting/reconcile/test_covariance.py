from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    Hierarchy,
    as_hierarchy,
    shrinkage,
    shrinkage_intensity,
    structural,
    temporal,
    tree,
    variance_scaled,
)

Array = NDArray[np.float64]


def _pairwise_intensity(errors: Array) -> float:
    """Schäfer and Strimmer's formula, with all pairs of nodes written out."""
    n = errors.shape[0]
    x = errors / np.sqrt((errors**2).mean(axis=0))
    correlation = x.T @ x / n
    variance = ((x**2).T @ (x**2) - (x.T @ x) ** 2 / n) / (n * (n - 1))
    off = ~np.eye(errors.shape[1], dtype=bool)
    return float(np.clip(variance[off].sum() / (correlation[off] ** 2).sum(), 0, 1))


@pytest.mark.parametrize("seed", range(4))
def test_intensity_is_the_pairwise_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(40, 25)) * rng.lognormal(sigma=3, size=25)
    errors += rng.normal(size=(40, 2)) @ rng.normal(size=(2, 25))
    assert shrinkage_intensity(errors) == pytest.approx(_pairwise_intensity(errors), rel=1e-10)


def test_zero_meters_do_not_enter_the_intensity() -> None:
    errors = np.random.default_rng(0).normal(size=(30, 10))
    padded = np.hstack([errors, np.zeros((30, 5))])
    assert shrinkage_intensity(padded) == pytest.approx(shrinkage_intensity(errors), rel=1e-12)


def test_intensity_without_correlations() -> None:
    assert shrinkage_intensity(np.zeros((5, 3))) == 1.0
    assert shrinkage_intensity(np.ones((1, 3))) == 1.0


def test_structural_variance_of_sums_and_means() -> None:
    assert structural(tree([-1, 0, 0, 0])).variance.tolist() == [3, 1, 1, 1]
    assert structural(temporal([2], 2, how="mean")).variance.tolist() == [0.5, 1, 1]


def test_shrinkage_keeps_every_variance(
    small_panel: Hierarchy,
    problem: Callable[[Hierarchy, int], tuple[Array, Array]],
    dense_covariance: Callable[[Covariance], Array],
) -> None:
    _, errors = problem(small_panel, 1)
    W = dense_covariance(shrinkage(small_panel, errors))
    np.testing.assert_allclose(
        np.diag(W), variance_scaled(small_panel, errors).variance, rtol=1e-12
    )
    lam = shrinkage_intensity(errors)
    i, j = small_panel.aggregates[:2]
    assert W[i, j] == pytest.approx((1 - lam) * (errors[:, i] * errors[:, j]).mean())


def test_floor_lifts_zero_meters_relative_to_typical_ones() -> None:
    hierarchy = tree([-1, 0, 0, 0])
    errors = np.array([[2.0, 0.0, 1.0, 3.0], [-2.0, 0.0, -1.0, -3.0]])
    variance = variance_scaled(hierarchy, errors, floor=1e-3).variance
    np.testing.assert_allclose(variance, [4.0, 1e-3 * 5.0, 1.0, 9.0])
    scaled = variance_scaled(hierarchy, 1e6 * errors, floor=1e-3).variance
    np.testing.assert_allclose(scaled, 1e12 * variance)


def test_missing_errors_are_left_out_of_variances_only() -> None:
    hierarchy = tree([-1, 0, 0])
    errors = np.array([[1.0, np.nan, 2.0], [1.0, 3.0, 2.0]])
    assert variance_scaled(hierarchy, errors).variance.tolist() == [1.0, 9.0, 4.0]
    with pytest.raises(DataError, match="errors of 1 nodes are not finite, first node 1"):
        shrinkage(hierarchy, errors)
    with pytest.raises(DataError, match="1 nodes have no finite error, first node 1"):
        variance_scaled(hierarchy, errors[:1])


def test_bad_arguments() -> None:
    hierarchy = as_hierarchy(tree([-1, 0, 0]))
    with pytest.raises(DataError, match=r"shape \(4, 2\); expected \(n_samples, 3\)"):
        variance_scaled(hierarchy, np.zeros((4, 2)))
    with pytest.raises(DataError, match="errors of exactly zero"):
        variance_scaled(hierarchy, np.zeros((4, 3)))
    with pytest.raises(DataError, match="variance floor is -1"):
        variance_scaled(hierarchy, np.ones((4, 3)), floor=-1)
    with pytest.raises(DataError, match="intensity is 0"):
        shrinkage(hierarchy, np.ones((4, 3)), intensity=0.0)
    with pytest.raises(DataError, match="first node 1"):
        Covariance(np.array([1.0, np.nan, 1.0]))
