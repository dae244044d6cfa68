from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loopcast_forecasting.features.weather import previous_day_extremes, smoothed

TEMPERATURES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-30, 50))


@given(values=TEMPERATURES, hours=st.floats(1, 60))
def test_smoothing_is_a_weighted_mean_of_the_past(values: np.ndarray, hours: float) -> None:
    found = smoothed(values, hours, 0.5)
    for t in (0, len(values) // 2, len(values) - 1):
        weights = np.exp(-np.arange(t, -1, -1) * 0.5 / hours)
        np.testing.assert_allclose(
            found[t], weights @ values[: t + 1] / weights.sum(), rtol=1e-9, atol=1e-9
        )


@given(values=TEMPERATURES)
def test_smoothing_does_not_see_the_future(values: np.ndarray) -> None:
    half = len(values) // 2 + 1
    np.testing.assert_array_equal(smoothed(values, 6, 1)[:half], smoothed(values[:half], 6, 1))


def test_extremes_of_the_day_before_by_hand() -> None:
    values = np.array([5.0, 9.0, 7.0, 1.0, 3.0, 20.0])
    lowest, highest = previous_day_extremes(values, np.array([0, 0, 0, 1, 1, 2]))
    np.testing.assert_array_equal(lowest, [5, 5, 5, 5, 5, 1])
    np.testing.assert_array_equal(highest, [9, 9, 9, 9, 9, 3])
