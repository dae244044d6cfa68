from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    as_hierarchy,
    coherence_error,
    cross_temporal,
    crossed,
    reconcile,
    temporal,
    tree,
)

Array = NDArray[np.float64]
Reference = Callable[[csr_array[np.float64], Array, Array], Array]


@pytest.mark.parametrize("floor", [1e-6, 1e-12, 1e-18])
@pytest.mark.parametrize("seed", range(3))
def test_exact_beside_rational_arithmetic_however_small_a_variance(
    exact: Reference, seed: int, floor: float
) -> None:
    rng = np.random.default_rng(seed)
    S: Any = crossed([np.arange(20) // 5, rng.integers(0, 4, 20)])
    base = S @ rng.normal(0, 100, 20) + rng.normal(0, 10, S.shape[0])
    variance = rng.lognormal(sigma=3.0, size=S.shape[0])
    dull = S.shape[0] - 20 + rng.choice(20, 4, replace=False)
    variance[dull] = floor
    base[dull[:2]] = 0.0
    expected = exact(S, variance, base)
    found = reconcile(S, base, Covariance(variance))
    terms = S @ np.abs(expected[-20:])
    assert np.max(np.abs(found - expected) / terms) < 1e-11


def test_regions_by_time_in_one_step(textbook: Reference) -> None:
    S: Any = cross_temporal(tree([-1, 0, 0, 0, 0, 0]), temporal([48, 2], 48, how="mean"))
    rng = np.random.default_rng(0)
    base = S @ rng.gamma(4, 100, (S.shape[1], 2)) + rng.normal(0, 30, (S.shape[0], 2))
    variance = rng.lognormal(size=S.shape[0])
    found = reconcile(S, base, Covariance(variance))
    np.testing.assert_allclose(found, textbook(S, np.diag(variance), base), rtol=1e-10)
    assert coherence_error(S, found) <= 1e-12


def test_any_weights_of_any_sign(textbook: Reference) -> None:
    rng = np.random.default_rng(3)
    top = csr_array(rng.normal(size=(6, 15)) * (rng.random((6, 15)) < 0.5))
    S: Any = csr_array(vstack([top, csr_array(np.eye(15))]))
    base, variance = rng.normal(size=(21, 2)), rng.lognormal(size=21)
    found = reconcile(S, base, Covariance(variance))
    np.testing.assert_allclose(found, textbook(S, np.diag(variance), base), atol=1e-12)


def test_same_group_twice_and_an_empty_one(textbook: Reference) -> None:
    S: Any = csr_array(
        np.array([[1.0, 1, 0], [0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    )
    base = np.array([5.0, 4.0, 6.0, 1.0, 1.0, 2.0, 3.0])[:, None]
    variance = np.arange(1.0, 8.0)
    assert not as_hierarchy(S).is_forest
    found = reconcile(S, base, Covariance(variance))
    np.testing.assert_allclose(found, textbook(S, np.diag(variance), base), atol=1e-13)


def test_pinned_sums_that_repeat_one_another() -> None:
    S: Any = crossed([np.arange(8) // 4, np.arange(8) % 2])
    variance = np.ones(S.shape[0])
    pinned = np.zeros(S.shape[0], dtype=bool)
    pinned[[0, 1, 2, 5, 6]] = True  # the total, both of its parts, and two series
    rng = np.random.default_rng(0)
    base = S @ rng.normal(size=8)
    base[3:5] += 1.0
    base[7:] += rng.normal(size=6)
    found = reconcile(S, base, Covariance(variance), pinned=pinned)
    assert np.array_equal(found[pinned], base[pinned])
    assert coherence_error(S, found) <= 1e-12
    without = pinned.copy()
    without[0] = False
    expected = reconcile(S, base, Covariance(variance), pinned=without)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    base[0] += 0.1
    with pytest.raises(DataError, match=r"pinned nodes differ .* first node [012];"):
        reconcile(S, base, Covariance(variance), pinned=pinned)
