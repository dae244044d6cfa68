from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from loopcast_forecasting.reconcile import Covariance, coherence_error, reconcile, tree
from loopcast_forecasting.reconcile.augmented import AugmentedSolver
from loopcast_forecasting.reconcile.elimination import TreeSolver

Array = NDArray[np.float64]
Reference = Callable[[csr_array[np.float64], Array, Array], Array]


def random_tree(seed: int, size: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [-1, *(int(rng.integers(max(0, node - 6), node)) for node in range(1, size))]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 60))
def test_agrees_with_the_general_solver_on_unbalanced_trees(seed: int, size: int) -> None:
    hierarchy = tree(random_tree(seed, size))
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(size, 3))
    variance = rng.lognormal(sigma=2.0, size=size)
    values, pull = TreeSolver(hierarchy).factor(variance).solve(base)
    general_values, general_pull = AugmentedSolver(hierarchy).factor(variance).solve(base)
    np.testing.assert_allclose(values, general_values, atol=1e-9 * np.abs(values).max())
    np.testing.assert_allclose(pull, general_pull, atol=1e-8 * (1e-9 + np.abs(pull).max(initial=0)))
    assert coherence_error(hierarchy, values) <= 1e-12


@pytest.mark.parametrize("floor", [1e-6, 1e-12, 1e-18])
@pytest.mark.parametrize("seed", range(3))
def test_exact_beside_rational_arithmetic_however_small_a_variance(
    exact: Reference, seed: int, floor: float
) -> None:
    hierarchy = tree(random_tree(seed, 30))
    rng = np.random.default_rng(seed)
    S, n = hierarchy.summing, hierarchy.n_nodes
    base = S @ rng.normal(0, 100, S.shape[1]) + rng.normal(0, 10, n)
    variance = rng.lognormal(sigma=3.0, size=n)
    dull = rng.choice(hierarchy.bottom, 3, replace=False)
    variance[dull] = floor
    base[dull[:2]] = 0.0
    expected = exact(S, variance, base)
    found = reconcile(hierarchy, base, Covariance(variance))
    terms = S @ np.abs(expected[hierarchy.bottom])
    assert np.max(np.abs(found - expected) / terms) < 1e-11


def test_deep_chain() -> None:
    hierarchy = tree(np.arange(-1, 300))
    base = np.linspace(0, 1, hierarchy.n_nodes)
    found = reconcile(hierarchy, base, Covariance(np.ones(hierarchy.n_nodes)))
    np.testing.assert_allclose(found, np.full_like(base, base.mean()))
