"""Sample sizes against statsmodels, and durations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from statsmodels.stats.power import NormalIndPower, tt_solve_power

from loopcast.api import DataError
from loopcast.iterate.experiments.design import (
    days_needed,
    paired_sample_size,
    sample_size,
    sequential_sample_size,
)
from loopcast.iterate.experiments.sequential import radius


@pytest.mark.parametrize("effect", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("significance", "power"), [(0.05, 0.8), (0.01, 0.9)])
def test_it_is_what_statsmodels_says(effect: float, significance: float, power: float) -> None:
    errors: dict[str, Any] = {"significance": significance, "power": power}
    expected = NormalIndPower().solve_power(effect, alpha=significance, power=power)
    assert sample_size(1.0, effect, **errors) == np.ceil(expected)
    assert sample_size(3.0, 3.0 * effect, **errors) == np.ceil(expected)
    paired = tt_solve_power(effect, alpha=significance, power=power)
    assert paired_sample_size(1.0, effect, **errors) == pytest.approx(paired, abs=4)


def test_several_arms_share_the_significance() -> None:
    expected = NormalIndPower().solve_power(0.1, alpha=0.05 / 3, power=0.8)
    assert sample_size(1.0, 0.1, significance=0.05, power=0.8, comparisons=3) == np.ceil(expected)


@given(st.floats(0.1, 10.0), st.floats(0.02, 1.0), st.floats(0.001, 0.2), st.floats(0.5, 0.99))
def test_a_sequential_sample_has_its_power_at_the_last_look(
    deviation: float, relative: float, significance: float, power: float
) -> None:
    effect = relative * deviation
    errors: dict[str, Any] = {"significance": significance, "power": power}
    size = sequential_sample_size(deviation, effect, **errors)
    reached = []
    for count in (size, size - 1):
        variance = 2.0 * deviation**2 / count
        reached.append(ndtr((effect - radius(variance, effect, significance)) / variance**0.5))
    assert reached[0] >= power - 1e-9
    assert reached[1] <= power + 1e-9
    assert size > sample_size(deviation, effect, **errors)


@pytest.mark.parametrize("size", [sample_size, paired_sample_size, sequential_sample_size])
@pytest.mark.parametrize("deviation", [0.0, float("nan")])
def test_without_variation_no_test_is_needed(size: Any, deviation: float) -> None:
    with pytest.raises(DataError, match="nothing that a test could tell apart"):
        size(deviation, 0.1, significance=0.05, power=0.8)


@pytest.mark.parametrize(
    ("arrivals", "entities", "days"),
    [
        ([50] * 28, 50, 7),
        ([50] * 28, 351, 14),
        ([50] * 28, 50 * 36, 42),
        ([900] + [10] * 27, 1000, 14),
    ],
)
def test_days_are_whole_weeks(arrivals: list[int], entities: int, days: int) -> None:
    assert days_needed(arrivals, entities) == days


def test_a_population_that_is_used_up_is_an_error() -> None:
    with pytest.raises(DataError, match=r"2,000 entities are needed; 1,000 came within 28 days"):
        days_needed([1000] + [0] * 27, 2000)
