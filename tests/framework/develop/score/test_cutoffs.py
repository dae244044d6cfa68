"""Cut-offs: what happens at them, and which one reaches a goal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DecisionSettings, Profits, ScoreOutcome
from loopcast.develop.calibration.reliability import reliability
from loopcast.develop.score.cutoffs import Goal, choose, curve, operating
from loopcast.develop.score.metrics import calibration_error

LOAN = DecisionSettings(profits=Profits(granted_event=-900.0, granted_other=100.0))
OFFER = DecisionSettings(profits=Profits(granted_event=40.0, granted_other=-4.0), favourable="high")


def drawn(rows: int, seed: int = 0, digits: int = 9) -> ScoreOutcome:
    """Calibrated scores, as a portfolio has them."""
    random = np.random.default_rng(seed)
    p = np.round(random.beta(1.0, 6.0, rows), digits)
    actual = (random.random(rows) < p).astype(float)
    return ScoreOutcome(actual=actual, probability=p, weight=random.uniform(0.5, 2.0, rows))


def with_stakes(outcome: ScoreOutcome) -> ScoreOutcome:
    stakes = np.random.default_rng(9).lognormal(0.0, 1.0, len(outcome.actual))
    return replace(outcome, amount=stakes)


def earned(outcome: ScoreOutcome, settings: DecisionSettings, cutoff: float) -> float:
    profits: Any = settings.profits
    low = outcome.probability < cutoff
    granted = low if settings.favourable == "low" else ~low
    each = np.where(outcome.actual == 1.0, profits.granted_event, profits.granted_other) * granted
    each = each if outcome.amount is None else each * outcome.amount
    return float(np.average(each, weights=outcome.weight))


@given(
    seed=st.integers(0, 500), rows=st.integers(2, 60), digits=st.integers(1, 4),
    settings=st.sampled_from([LOAN, OFFER]), stakes=st.booleans(),
)  # fmt: skip
def test_no_cutoff_earns_more_than_the_chosen_one(
    seed: int, rows: int, digits: int, settings: DecisionSettings, stakes: bool
) -> None:
    outcome = drawn(rows, seed, digits)
    outcome = with_stakes(outcome) if stakes else outcome
    best = choose(outcome, Goal(kind="profit"), settings).at
    assert best.profit is not None
    others = [*np.unique(outcome.probability), 1.1]
    assert best.profit.value == pytest.approx(earned(outcome, settings, best.cutoff))
    assert best.profit.value >= max(earned(outcome, settings, c) for c in others) - 1e-9


@given(seed=st.integers(0, 500), rows=st.integers(2, 60), target=st.floats(0.0, 1.0))
def test_no_cutoff_grants_more_with_as_few_events(seed: int, rows: int, target: float) -> None:
    outcome = drawn(rows, seed, 2)
    found = choose(outcome, Goal(kind="events", target=target), LOAN).at
    if found.granted.value:
        assert found.events.value <= target + 1e-12
    for cutoff in np.unique(outcome.probability):
        other = operating(outcome, float(cutoff), LOAN)
        if other.granted.value > found.granted.value + 1e-12:
            assert other.events.value > target - 1e-12


def test_a_share_of_cases_is_granted_as_nearly_as_ties_allow() -> None:
    found = choose(drawn(5000), Goal(kind="granted", target=0.6), LOAN)
    assert found.at.granted.value == pytest.approx(0.6, abs=1e-3)
    tied = ScoreOutcome(
        actual=np.array([0.0, 1.0, 0.0, 1.0]),
        probability=np.array([0.1, 0.3, 0.3, 0.3]),
        weight=np.ones(4),
    )
    assert choose(tied, Goal(kind="granted", target=0.6), LOAN).at.granted.value == 0.25
    assert choose(tied, Goal(kind="granted", target=0.7), LOAN).at.granted.value == 1.0


def test_the_interval_holds_the_cutoff_that_calibrated_scores_are_best_cut_at() -> None:
    """Where scores are calibrated, the best cut-off is known: that at which profits are even."""
    assert LOAN.threshold == pytest.approx(0.1)
    choices = [choose(drawn(3000, seed), Goal(kind="profit"), LOAN) for seed in range(12)]
    assert sum(choice.low <= 0.1 <= choice.high for choice in choices) >= 10


def test_what_is_expected_does_not_flatter_the_cutoff_as_its_own_rows_do() -> None:
    """What the same rows earn at a cut-off that they did not choose says how lucky they are."""
    new = drawn(200_000, 99)
    fixed = earned(new, LOAN, 0.1)
    flattery, left = [], []
    for seed in range(25):
        rows = drawn(400, seed)
        choice = choose(rows, Goal(kind="profit"), LOAN)
        assert choice.at.profit is not None
        assert choice.expected is not None
        chance = earned(rows, LOAN, 0.1) - fixed  # by how much these rows happen to earn more
        truth = earned(new, LOAN, choice.at.cutoff)
        flattery.append(choice.at.profit.value - chance - truth)
        left.append(choice.expected - chance - truth)
    assert np.mean(flattery) > 3.0
    assert abs(np.mean(left)) < 0.5 * np.mean(flattery)


def test_the_curve_runs_from_few_cases_to_all_of_them() -> None:
    for settings in (LOAN, OFFER, DecisionSettings(favourable="high")):
        found = curve(drawn(2000), settings)
        granted = sorted(at.granted.value for at in found)
        assert granted[0] == pytest.approx(1 / 40, abs=0.01)
        assert granted[-1] == pytest.approx(1.0)
        assert all((at.profit is None) == (settings.profits is None) for at in found)
        assert all(at.events.low <= at.events.value <= at.events.high for at in found)


def test_without_profits_nothing_is_earned_and_nobody_granted_has_no_events() -> None:
    plain = DecisionSettings()
    choice = choose(drawn(500), Goal(kind="granted", target=0.0), plain)
    assert choice.expected is None
    assert choice.at.granted.value == 0.0
    assert np.isnan(choice.at.events.value)


def test_reliability_is_what_the_calibration_error_averages() -> None:
    outcome = drawn(3000)
    found = reliability(outcome)
    place = np.minimum((outcome.probability * 10).astype(int), 9)
    share = np.bincount(place, outcome.weight, minlength=10) / outcome.weight.sum()
    gap = np.nan_to_num(np.abs(found.said - found.happened))
    assert gap @ share == pytest.approx(calibration_error(outcome))
    full = ~np.isnan(found.said)
    assert np.all((found.low <= found.happened)[full] & (found.happened <= found.high)[full])
    assert np.mean(((found.low <= found.said) & (found.said <= found.high))[full]) > 0.7


def test_reliability_of_a_rare_event_has_its_bins_where_scores_are() -> None:
    outcome = drawn(3000)
    common = reliability(outcome)
    rare = reliability(replace(outcome, probability=outcome.probability / 16.0), 1.0 / 16.0)
    assert rare.middle.tolist() == pytest.approx(common.middle / 16.0)
    assert rare.said.tolist() == pytest.approx(common.said / 16.0, nan_ok=True)
    assert rare.happened.tolist() == pytest.approx(common.happened, nan_ok=True)


def test_shares_of_amounts_stand_beside_those_of_cases() -> None:
    outcome = with_stakes(drawn(3000))
    stake: Any = outcome.amount
    found = operating(outcome, 0.1, LOAN)
    granted = outcome.probability < 0.1
    weight = outcome.weight * stake
    assert found.granted_amount is not None
    assert found.events_amount is not None
    assert found.granted_amount.value == pytest.approx(weight[granted].sum() / weight.sum())
    bad = np.average(outcome.actual[granted], weights=weight[granted])
    assert found.events_amount.value == pytest.approx(bad)
    assert found.granted_amount.effective < found.granted.effective  # few amounts are large
    without = operating(drawn(3000), 0.1, LOAN)
    assert (without.granted_amount, without.events_amount) == (None, None)
    assert without.granted == found.granted
