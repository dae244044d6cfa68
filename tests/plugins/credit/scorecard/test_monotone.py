from __future__ import annotations

import numpy as np

from loopcast_credit.scorecard.monotone import monotone_starts


def test_pools_make_the_values_monotone() -> None:
    values, weight = np.array([1.0, 3.0, 2.0, 5.0]), np.ones(4)
    assert monotone_starts(values, weight, "increasing") == [0, 1, 3]
    assert monotone_starts(values, weight, "auto") == [0, 1, 3]
    assert monotone_starts(values, weight, "decreasing") == [0]
    assert monotone_starts(-values, weight, "auto") == [0, 1, 3]
