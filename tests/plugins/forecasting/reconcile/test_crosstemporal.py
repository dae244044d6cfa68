from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from loopcast.api import DataError
from loopcast_forecasting.reconcile import (
    Covariance,
    Hierarchy,
    as_hierarchy,
    coherence_error,
    cross_temporal,
    crossed,
    reconcile,
    reconcile_kronecker,
    reconcile_levels,
    shrinkage,
    structural,
    temporal,
    tree,
)

Array = NDArray[np.float64]
PERIODS = (12, 4, 2, 1)


@pytest.fixture(params=["tree", "crossed"])
def space(request: pytest.FixtureRequest) -> Hierarchy:
    if request.param == "tree":
        return tree([-1, 0, 0, 1, 1, 1, 2])
    return as_hierarchy(crossed([np.arange(8) // 4, np.arange(8) % 3]))


@pytest.mark.parametrize("how", ["sum", "mean"])
@pytest.mark.parametrize("n_steps", [12, 24])
def test_level_variances_equal_the_general_solution(
    space: Hierarchy, how: Literal["sum", "mean"], n_steps: int
) -> None:
    rng = np.random.default_rng(0)
    time = temporal(PERIODS[:-1], n_steps, how=how)
    S: Any = cross_temporal(space, time)
    base = rng.normal(size=(space.n_nodes, time.shape[0], 2)) * 100
    variance = rng.lognormal(sigma=2.0, size=(space.n_nodes, 4))
    level = np.repeat(np.arange(4), [n_steps // period for period in PERIODS])
    flat = base.reshape(-1, 2)
    expected = reconcile(S, flat, Covariance(variance[:, level].ravel()))
    found = reconcile_levels(space, PERIODS, base, variance, how=how).reshape(-1, 2)
    assert np.max(np.abs(found - expected)) < 1e-11 * np.abs(expected).max()
    assert coherence_error(S, found) <= 1e-12


def test_kronecker_covariance_equals_the_textbook_form(
    space: Hierarchy,
    textbook: Callable[[csr_array[np.float64], Array, Array], Array],
    dense_covariance: Callable[[Covariance], Array],
) -> None:
    rng = np.random.default_rng(1)
    time = temporal([4, 2], 4)
    S: Any = cross_temporal(space, time)
    over_space = shrinkage(space, rng.normal(size=(20, space.n_nodes)))
    over_time = structural(time)
    base = rng.normal(size=(space.n_nodes, time.shape[0]))
    W: Any = np.kron(dense_covariance(over_space), dense_covariance(over_time))
    expected = textbook(S, W, base.ravel())
    found = reconcile_kronecker(space, time, base, over_space, over_time)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-12)


def test_bad_input() -> None:
    space = tree([-1, 0, 0])
    base, variance = np.ones((3, 3)), np.ones((3, 2))
    with pytest.raises(DataError, match=r"periods are \(3, 2, 1\)"):
        reconcile_levels(space, (3, 2, 1), base, variance)
    with pytest.raises(DataError, match=r"expected \(3, 3, k\)"):
        reconcile_levels(space, (2, 1), np.ones((3, 5)), variance)
    bad = base.copy()
    bad[1, 2] = np.nan
    with pytest.raises(DataError, match="node 1 at temporal node 2 is not finite"):
        reconcile_levels(space, (2, 1), bad, variance)
    with pytest.raises(DataError, match="1 variances are not positive"):
        reconcile_levels(space, (2, 1), base, np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]))
    with pytest.raises(DataError, match="variances have shape"):
        reconcile_levels(space, (2, 1), base, np.ones((3, 3)))
    with pytest.raises(DataError, match="forecasts have shape"):
        reconcile_kronecker(
            space, temporal([2], 2), np.ones(9), structural(space), structural(temporal([2], 2))
        )
