"""Off-policy estimates against a world in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.iterate.experiments.offpolicy import (
    doubly_robust,
    earned,
    effective_size,
    ips,
    snips,
)

RATES = np.array([[10.0, 30.0], [20.0, 25.0]])  # revenue by kind of customer and arm
BEHAVIOUR = np.array([[0.8, 0.2], [0.5, 0.5]])
POLICY = np.array([[0.1, 0.9], [0.3, 0.7]])
TRUTH = float((POLICY * RATES).sum(axis=1).mean())


def world(count: int, seed: int) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    kind = random.integers(0, 2, count)
    arm = (random.random(count) >= BEHAVIOUR[kind, 0]).astype(int)
    reward = random.exponential(RATES[kind, arm])
    return {
        "reward": reward,
        "ratio": POLICY[kind, arm] / BEHAVIOUR[kind, arm],
        "weight": np.ones(count),
        "expected": RATES[kind, arm] + 1.0,  # a model that is a bit wrong
        "expected_under_policy": (POLICY[kind] * RATES[kind]).sum(axis=1) + 1.0,
    }


def estimates(count: int, seed: int) -> dict[str, tuple[float, float, bool]]:
    seen = world(count, seed)
    logged = (seen["reward"], seen["ratio"], seen["weight"])
    values = {
        "ips": ips(*logged),
        "snips": snips(*logged),
        "doubly_robust": doubly_robust(
            *logged,
            expected=seen["expected"],
            expected_under_policy=seen["expected_under_policy"],
        ),
    }
    found = {}
    for name, value in values.items():
        low, high = value.estimate(np.arange(count)).interval(0.95) or (np.nan, np.nan)
        found[name] = (value.value, high - low, low <= TRUTH <= high)
    return found


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    runs = [estimates(2_000, seed) for seed in range(400)]
    for name in ("ips", "snips", "doubly_robust"):
        values, _, covered = np.array([run[name] for run in runs]).T
        assert abs(values.mean() - TRUTH) < 3.0 * values.std() / 20.0, name
        assert abs(covered.mean() - 0.95) < 3.0 * np.sqrt(0.95 * 0.05 / 400), name
    widths = {name: np.mean([run[name][1] for run in runs]) for name in runs[0]}
    assert widths["doubly_robust"] < widths["snips"] < widths["ips"]


def test_an_uplift_is_surer_than_both_its_parts() -> None:
    seen = world(5_000, 1)
    block = np.arange(5_000)
    policy = snips(seen["reward"], seen["ratio"], seen["weight"])
    now = earned(seen["reward"], seen["weight"])
    uplift = (policy - now).estimate(block)
    apart = np.hypot(policy.estimate(block).error, now.estimate(block).error)
    assert uplift.value == pytest.approx(policy.value - now.value)
    assert uplift.error < apart
    true_uplift = TRUTH - (BEHAVIOUR * RATES).sum(axis=1).mean()
    low, high = uplift.interval(0.99) or (np.nan, np.nan)
    assert low < true_uplift < high


def test_impressions_of_one_entity_are_no_independent_ones() -> None:
    seen = world(1_000, 2)
    each = snips(seen["reward"], seen["ratio"], seen["weight"]).estimate(np.arange(1_000))
    repeated = {name: np.repeat(values, 9) for name, values in seen.items()}
    value = snips(repeated["reward"], repeated["ratio"], repeated["weight"])
    assert value.estimate(np.repeat(np.arange(1_000), 9)).error == pytest.approx(each.error)


@given(st.lists(st.floats(0.0, 9.0), min_size=1, max_size=30), st.floats(0.5, 3.0))
def test_the_policy_that_was_at_work_is_worth_what_it_earned(
    rewards: list[float], weight: float
) -> None:
    reward, ones = np.array(rewards), np.ones(len(rewards))
    for value in (ips, snips):
        found = value(reward, ones, weight * ones)
        assert found.value == pytest.approx(reward.mean())
        assert abs(found.influence.sum()) < 1e-9
    assert effective_size(ones, weight * ones) == pytest.approx(len(rewards))


def test_what_was_never_served_has_no_value() -> None:
    none = np.zeros(5)
    value = snips(np.ones(5), none, np.ones(5))
    assert np.isnan(value.value)
    assert effective_size(none, np.ones(5)) == 0.0
