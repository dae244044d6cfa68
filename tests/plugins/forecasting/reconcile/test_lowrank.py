from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    Hierarchy,
    coherence_error,
    ols,
    reconcile,
    shrinkage,
    structural,
    variance_scaled,
)

Array = NDArray[np.float64]
Reference = Callable[[csr_array[np.float64], Array, Array], Array]
Problem = Callable[[Hierarchy, int], tuple[Array, Array]]
Dense = Callable[[Covariance], Array]


@pytest.mark.parametrize("method", ["ols", "structural", "variance", "shrinkage"])
def test_thousand_series_equal_the_dense_textbook_form(
    method: str, panel: Hierarchy, textbook: Reference, problem: Problem, dense_covariance: Dense
) -> None:
    base, errors = problem(panel, 7)
    covariance = {
        "ols": lambda: ols(panel),
        "structural": lambda: structural(panel),
        "variance": lambda: variance_scaled(panel, errors),
        "shrinkage": lambda: shrinkage(panel, errors),
    }[method]()
    expected = textbook(panel.summing, dense_covariance(covariance), base)
    found = reconcile(panel, base, covariance)
    assert np.max(np.abs(found - expected)) < 1e-10 * np.abs(expected).max()
    # beside each node's own size, zero meters included
    scale = np.abs(expected) + np.abs(expected).max() * 1e-6
    assert np.max(np.abs(found - expected) / scale) < 1e-7
    assert coherence_error(panel, found) <= 1e-12


@pytest.mark.parametrize("intensity", [1e-4, 0.05, 1.0])
def test_any_intensity(
    intensity: float,
    small_panel: Hierarchy,
    textbook: Reference,
    problem: Problem,
    dense_covariance: Dense,
) -> None:
    base, errors = problem(small_panel, 3)
    covariance = shrinkage(small_panel, errors, floor=1e-3, intensity=intensity)
    expected = textbook(small_panel.summing, dense_covariance(covariance), base)
    found = reconcile(small_panel, base, covariance)
    assert np.max(np.abs(found - expected)) < 1e-9 * np.abs(expected).max()


def test_missing_nodes_are_rows_that_are_left_out(
    small_panel: Hierarchy, textbook: Reference, problem: Problem, dense_covariance: Dense
) -> None:
    base, errors = problem(small_panel, 4)
    covariance = shrinkage(small_panel, errors, floor=1e-3)
    missing = np.array([0, 2, small_panel.bottom[5], small_panel.bottom[33]])
    base[missing] = np.nan
    seen = np.setdiff1d(np.arange(small_panel.n_nodes), missing)
    W = dense_covariance(covariance)[np.ix_(seen, seen)]
    rows = csr_array(small_panel.summing[seen])
    expected = textbook(rows, W, base[seen])
    found = reconcile(small_panel, base, covariance)
    assert np.max(np.abs(found[seen] - expected)) < 1e-10 * np.abs(expected).max()
    assert coherence_error(small_panel, found) <= 1e-12


def test_pinned_nodes_are_the_limit_of_no_error(
    small_panel: Hierarchy, textbook: Reference, problem: Problem, dense_covariance: Dense
) -> None:
    base, errors = problem(small_panel, 5)
    covariance = shrinkage(small_panel, errors, floor=1e-3)
    pinned = np.zeros(small_panel.n_nodes, dtype=bool)
    pinned[[1, small_panel.bottom[110]]] = True
    W = dense_covariance(covariance)
    W[pinned] = 0.0
    W[:, pinned] = 0.0
    W[pinned, pinned] = 1e-9
    expected = textbook(small_panel.summing, W, base)
    found = reconcile(small_panel, base, covariance, pinned=pinned)
    assert np.array_equal(found[pinned], base[pinned])
    assert np.max(np.abs(found - expected)) < 1e-6 * np.abs(expected).max()


def test_low_rank_alone_is_refused() -> None:
    S = csr_array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    covariance = Covariance(np.array([1.0, 0.0, 1.0]), np.ones((2, 3)), 0.5)
    with pytest.raises(DataError, match="1 nodes have no variance of their own"):
        reconcile(S, np.ones(3), covariance)
