from __future__ import annotations

import numpy as np

from loopcast_credit.bins.bins import NumericBins
from loopcast_credit.scorecard.pool import alike_starts, monotone_starts, pooled


def test_pools_make_the_values_monotone() -> None:
    values, weight = np.array([1.0, 3.0, 2.0, 5.0]), np.ones(4)
    assert monotone_starts(values, weight, "increasing") == [0, 1, 3]
    assert monotone_starts(values, weight, "auto") == [0, 1, 3]
    assert monotone_starts(values, weight, "decreasing") == [0]
    assert monotone_starts(-values, weight, "auto") == [0, 1, 3]


def test_neighbours_alike_are_one() -> None:
    assert alike_starts(np.array([0.0, 0.4, 0.9, 1.2, 3.0]), 1.0) == [0, 3, 4]
    assert alike_starts(np.array([0.0, 0.4]), 0.0) == [0, 1]


def test_pooled_bins_keep_the_bounds_of_their_pools() -> None:
    bins = NumericBins(name="x", cuts=(1.0, 2.0, 3.0), specials=(9.0,))
    assert pooled(bins, [0, 1, 3]) == NumericBins(name="x", cuts=(1.0, 3.0), specials=(9.0,))
