from __future__ import annotations

import numpy as np
import pytest

from loopcast_credit.additive.effects import alike_starts, centred_effect, pooled
from loopcast_credit.bins.bins import CategoryBins, NumericBins


def test_neighbours_alike_are_one() -> None:
    assert alike_starts(np.array([0.0, 0.4, 0.9, 1.2, 3.0]), 1.0) == [0, 3, 4]
    assert alike_starts(np.array([0.0, 0.4]), 0.0) == [0, 1]


def test_pooled_bins_keep_the_bounds_of_their_pools() -> None:
    bins = NumericBins(name="x", cuts=(1.0, 2.0, 3.0), specials=(9.0,))
    assert pooled(bins, [0, 1, 3]) == NumericBins(name="x", cuts=(1.0, 3.0), specials=(9.0,))


def test_an_effect_is_zero_on_average_and_where_nothing_was_seen() -> None:
    bins = NumericBins(name="x", cuts=(1.0, 2.0, 3.0))
    values, rows = np.array([1.0, 1.1, 2.0, 4.0, 9.0]), np.array([30.0, 10.0, 0.0, 60.0, 0.0])
    effect, level = centred_effect(bins, values, rows, rows / 2, tolerance=0.5)
    assert effect.bins == NumericBins(name="x", cuts=(2.0, 3.0))
    assert level == pytest.approx((30.0 + 11.0 + 240.0) / 100.0)
    np.testing.assert_allclose(effect.values, [1.025 - level, 2.0 - level, 4.0 - level, 0.0])
    assert effect.rows == (40.0, 0.0, 60.0, 0.0)
    groups = CategoryBins(name="c", groups=(("a",), ("b",)))
    effect, _ = centred_effect(groups, np.ones(4), np.array([5.0, 0, 5.0, 0]), np.zeros(4), 0.5)
    assert effect.values == (0.0, 0.0, 0.0, 0.0)
