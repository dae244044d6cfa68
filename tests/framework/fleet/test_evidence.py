"""Non-inferiority of errors, against scipy's own test and by its rate of false passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from loopcast.api import ErrorTest, Observed
from loopcast.fleet.evidence import comparable, compare, needed_pairs


def observed(error: float, champion: float, pairs: int = 48) -> Observed:
    return Observed(health="healthy", pairs=pairs, error=error, champion_error=champion)


ERRORS = st.floats(0.1, 1e6)


@given(st.lists(st.tuples(ERRORS, ERRORS), min_size=3, max_size=30))
def test_p_values_are_those_of_a_t_test(pairs: list[tuple[float, float]]) -> None:
    test = ErrorTest(margin=0.1, looks=1)
    logs = [math.log(error / champion) for error, champion in pairs]
    if np.std(logs) < 1e-6:
        return
    look = compare([observed(*pair) for pair in pairs], test)
    below = ttest_1samp(logs, math.log(1.1), alternative="less").pvalue
    above = ttest_1samp(logs, math.log(1.1), alternative="greater").pvalue
    assert look.p_no_worse == pytest.approx(below, abs=1e-9)
    assert look.p_worse == pytest.approx(above, abs=1e-9)
    assert look.ratio == pytest.approx(math.exp(np.mean(logs)))


def test_a_package_at_the_margin_seldom_passes_in_any_look() -> None:
    """The rate of false passes over all looks is no more than stated, on logs that correlate."""
    test, draws = ErrorTest(margin=0.05, significance=0.05, looks=3, pairs=48), 1500
    generator = np.random.default_rng(7)
    steps = generator.normal(0.0, 0.1, (draws, test.looks, 8))
    logs = math.log(1.05) + np.cumsum(steps, axis=1) / np.arange(1, 4)[:, None]
    passed = sum(
        any(
            compare([observed(math.exp(x), 1.0) for x in look], test).verdict == "no worse"
            for look in draw
        )
        for draw in logs
    )
    assert passed / draws <= test.significance + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_clear_cases() -> None:
    test = ErrorTest(margin=0.05)
    better = [observed(0.8 + 0.01 * i, 1.0) for i in range(5)]
    worse = [observed(1.5 + 0.01 * i, 1.0) for i in range(5)]
    unclear = [observed(0.5, 1.0), observed(1.0, 1.0), observed(1.9, 1.0)]
    assert [compare(each, test).verdict for each in (better, worse, unclear)] == [
        "no worse", "worse", "open"]  # fmt: skip


def test_a_champion_without_errors_is_only_equalled() -> None:
    test = ErrorTest()
    assert compare([observed(0.0, 0.0)] * 3, test).verdict == "no worse"
    assert compare([observed(0.0, 0.0)] * 2 + [observed(1.0, 0.0)], test).verdict == "worse"
    assert compare([observed(0.0, 1.0)] * 3, test).verdict == "no worse"


def test_only_devices_with_enough_outcomes_are_compared() -> None:
    test = ErrorTest(pairs=10)
    fleet = [observed(1.0, 1.0, pairs) for pairs in (9, 10, 19, 20)]
    fleet.append(Observed(health="failed", pairs=100, error=1.0, champion_error=1.0))
    assert [needed_pairs(test, looks) for looks in range(3)] == [10, 20, 40]
    assert [len(comparable(fleet, test, looks)) for looks in range(3)] == [3, 1, 0]
