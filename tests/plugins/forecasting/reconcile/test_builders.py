from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.api import DataError
from loopcast_forecasting.reconcile import as_hierarchy, cross_temporal, crossed, temporal, tree


def test_unbalanced_tree_in_any_order() -> None:
    parent = [3, 0, 0, -1, 3, 1]
    expected = {0: [2, 5], 1: [5], 2: [2], 3: [2, 4, 5], 4: [4], 5: [5]}
    hierarchy = tree(parent)
    assert hierarchy.bottom.tolist() == [2, 4, 5]
    for node, below in expected.items():
        row = hierarchy.summing.toarray()[node]
        assert hierarchy.bottom[row == 1.0].tolist() == below


def test_tree_has_the_structure_that_is_found_from_its_summing_matrix() -> None:
    rng = np.random.default_rng(2)
    parent = np.array([-1, *(int(rng.integers(0, node)) for node in range(1, 200))])
    built: Any = tree(parent)
    found: Any = as_hierarchy(built.summing, built.bottom)
    assert built.is_forest
    y = rng.normal(size=built.n_nodes)
    single = np.diff(built.summing.indptr)[built.aggregates] > 1
    np.testing.assert_allclose(
        (built.children @ (built.summing @ y[built.bottom])),
        (found.children @ (built.summing @ y[built.bottom])),
    )
    assert found.is_forest
    assert single.any()


@pytest.mark.parametrize(
    ("parent", "message"),
    [([-1, 2, 1], "never ends, first node 1"), ([-1, 7], "out of range, first that of node 1")],
)
def test_bad_parents(parent: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tree(parent)


def test_labels_of_different_length_are_an_error() -> None:
    with pytest.raises(DataError, match="grouping 1 has labels of shape"):
        crossed([["a", "b"], ["x"]])


def test_days_of_46_and_50_half_hours() -> None:
    day = np.repeat([0, 1, 2], [46, 48, 50])
    S: Any = temporal([day, 2], 144)
    assert S.shape == (3 + 72 + 144, 144)
    assert np.diff(S.indptr)[:3].tolist() == [46, 48, 50]
    assert as_hierarchy(S).is_forest


def test_mean_of_power() -> None:
    S: Any = temporal([4, 2], 8, how="mean")
    power = np.arange(8.0)
    np.testing.assert_allclose((S @ power)[:2], [1.5, 5.5])


def test_period_that_does_not_divide_is_an_error() -> None:
    with pytest.raises(DataError, match="period of 5 steps does not divide the horizon of 48"):
        temporal([5], 48)
    with pytest.raises(DataError, match="period labels have shape"):
        temporal([[0, 0, 1]], 48)


def test_product_orders_nodes_by_series_then_time() -> None:
    space, time = tree([-1, 0, 0]), temporal([2], 2)
    values = np.arange(4.0).reshape(2, 2)
    coherent: Any = space.summing @ values @ time.T
    product: Any = cross_temporal(space, time)
    np.testing.assert_allclose(product @ values.ravel(), coherent.ravel())
