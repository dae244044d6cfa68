"""Error rates of the fixed and of the sequential test, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri

from loopcast.iterate.experiments.design import sample_size, sequential_sample_size
from loopcast.iterate.experiments.sequential import FEWEST, always_valid_p, radius

from .simulation import ab_tests

RUNS, EVERY, BASE, EFFECT = 2_000, 50, 0.1, 0.03
FIXED = sample_size(np.sqrt(BASE * (1 - BASE)), EFFECT, significance=0.05, power=0.8)
SEQUENTIAL = sequential_sample_size(
    np.sqrt(BASE * (1 - BASE)), EFFECT, significance=0.05, power=0.8
)


def spread(rate: float) -> float:
    """Three standard errors of a share of the runs."""
    return float(3.0 * np.sqrt(rate * (1.0 - rate) / RUNS))


def crossed(difference: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the interval excludes zero, at each look from the fewest entities on."""
    bounds = np.vectorize(radius)(variance, EFFECT, 0.05)
    found = np.abs(difference) > bounds
    found[:, : FEWEST // EVERY - 1] = False
    return np.asarray(found)


def test_a_fixed_test_errs_as_often_as_declared_and_more_often_when_looked_at() -> None:
    difference, variance = ab_tests((BASE, BASE), FIXED, EVERY, RUNS, seed=1)
    found = np.abs(difference) > ndtri(0.975) * np.sqrt(variance)
    assert abs(found[:, -1].mean() - 0.05) < spread(0.05)
    assert found.any(axis=1).mean() > 0.2, "which is why results are sealed"


def test_a_sequential_test_errs_no_more_often_however_often_it_is_looked_at() -> None:
    difference, variance = ab_tests((BASE, BASE), 3 * SEQUENTIAL, EVERY, RUNS, seed=2)
    assert crossed(difference, variance).any(axis=1).mean() <= 0.05 + spread(0.05)


@pytest.mark.parametrize("rates", [(BASE, BASE + EFFECT), (BASE + EFFECT, BASE)])
def test_a_fixed_test_finds_what_it_was_declared_to_find(rates: tuple[float, float]) -> None:
    deviation = np.sqrt(np.mean([rate * (1 - rate) for rate in rates]))
    size = sample_size(deviation, EFFECT, significance=0.05, power=0.8)
    difference, variance = ab_tests(rates, size, size, RUNS, seed=3)
    found = np.abs(difference) > ndtri(0.975) * np.sqrt(variance)
    assert abs(found[:, -1].mean() - 0.8) < spread(0.8)


def test_a_sequential_test_finds_it_too_and_mostly_sooner_than_at_its_end() -> None:
    deviation = np.sqrt(np.mean([rate * (1 - rate) for rate in (BASE, BASE + EFFECT)]))
    size = sequential_sample_size(deviation, EFFECT, significance=0.05, power=0.8)
    difference, variance = ab_tests((BASE, BASE + EFFECT), size, EVERY, RUNS, seed=4)
    found = crossed(difference, variance)
    assert found.any(axis=1).mean() >= 0.8 - spread(0.8)
    ends = np.where(found.any(axis=1), (found.argmax(axis=1) + 1) * EVERY, size)
    assert np.mean(ends) < 0.75 * size


@given(st.floats(-1.0, 1.0), st.floats(1e-6, 1.0), st.floats(0.001, 1.0), st.floats(0.001, 0.5))
def test_interval_and_p_value_agree(
    difference: float, variance: float, mixture: float, significance: float
) -> None:
    bound = radius(variance, mixture, significance)
    p_value = always_valid_p(difference, variance, mixture)
    if abs(abs(difference) - bound) > 1e-9:
        assert (abs(difference) > bound) == (p_value < significance)


def test_no_variation_is_certainty() -> None:
    assert radius(0.0, 0.1, 0.05) == 0.0
    assert (always_valid_p(0.0, 0.0, 0.1), always_valid_p(0.1, 0.0, 0.1)) == (1.0, 0.0)
