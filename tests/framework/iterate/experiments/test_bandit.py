"""Bandits: the posterior, what they learn from events, and how much they lose."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import integrate, stats

from loopcast.api import BanditSettings, RankSchema
from loopcast.iterate.experiments.bandit import discounted, shares
from loopcast.iterate.experiments.evaluation import evaluate, result_of
from loopcast.iterate.experiments.impressions import impressions
from loopcast.iterate.experiments.learning import learn
from loopcast.store.events import event_table
from loopcast.store.trials import Trial

from .shop import RATES, Shop, read_since
from .simulation import PLAIN, WORLDS, World, click_rates, lost_by_bandit, lost_by_fixed_test
from .worlds import BEGUN, METRICS, MODEL, begin, experiment, hear, home_with_arms


class TestPosterior:
    def test_counts_are_discounted_one_by_one(self) -> None:
        random = np.random.default_rng(0)
        population, arm = random.integers(0, 3, 500), random.integers(0, 4, 500)
        reward, forgetting = random.random(500), np.array([0.99, 1.0, 0.9])
        won, lost = np.zeros((3, 4)), np.zeros((3, 4))
        for p, a, r in zip(population, arm, reward, strict=True):
            won[p] *= forgetting[p]
            lost[p] *= forgetting[p]
            won[p, a] += r
            lost[p, a] += 1.0 - r
        found = discounted(population, arm, reward, forgetting, 4)
        np.testing.assert_allclose(found[0], won, rtol=1e-10)
        np.testing.assert_allclose(found[1], lost, rtol=1e-10)

    def test_shares_are_the_probabilities_of_being_best(self) -> None:
        won, lost = np.array([[20.0, 26.0, 9.0]]), np.array([[480.0, 470.0, 300.0]])
        settings = BanditSettings(sharpness=2.0, floor=0.03)
        posterior = [stats.beta(1 + 2 * w, 1 + 2 * f) for w, f in zip(won[0], lost[0], strict=True)]

        def leads(arm: int) -> float:
            others = [posterior[k] for k in range(3) if k != arm]
            found = integrate.quad(
                lambda x: posterior[arm].pdf(x) * np.prod([o.cdf(x) for o in others]), 0.0, 0.3
            )
            return float(found[0])

        expected = 0.97 * np.array([leads(arm) for arm in range(3)]) + 0.01
        np.testing.assert_allclose(shares(won, lost, settings)[0], expected, atol=0.03)

    def test_shares_of_many_populations_are_those_of_each(self) -> None:
        random = np.random.default_rng(1)
        won, lost = random.random((600, 3)) * 30, random.random((600, 3)) * 900
        found = shares(won, lost, BanditSettings())
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        assert (found >= BanditSettings().floor / 3 - 1e-12).all()
        assert np.array_equal(found, shares(won, lost, BanditSettings()))
        alone = shares(won[:1], lost[:1], BanditSettings())
        np.testing.assert_allclose(alone, found[:1], atol=0.05)


@cache
def lost(world: World, kind: str) -> float:
    rates = click_rates(world)
    if kind == "fixed":
        return float(lost_by_fixed_test(rates, 40, seed=1).mean())
    settings = PLAIN if kind == "plain" else BanditSettings()
    return float(lost_by_bandit(rates, settings, 24, seed=1).mean())


@pytest.mark.parametrize("world", ["abrupt", "drifting"])
def test_it_loses_far_less_than_a_fixed_test_where_rewards_change(world: World) -> None:
    assert lost(world, "default") <= 0.45 * lost(world, "fixed")


def test_it_loses_at_most_twice_what_plain_sampling_does_where_nothing_changes() -> None:
    assert lost("stationary", "default") <= 2.0 * lost("stationary", "plain")
    assert lost("stationary", "default") < lost("stationary", "fixed")


def test_there_is_a_reason_not_to_be_plain() -> None:
    assert [lost(world, "default") < lost(world, "plain") for world in WORLDS] == [
        False, True, True,
    ]  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "home")


def test_it_learns_night_by_night_which_arm_is_best(shop: Shop) -> None:
    for day in range(12):
        shop.serve(day)
        shop.learn(day)
    state = shop.trial.bandit
    assert state is not None
    assert state.updates == 12
    assert state.shares[1] > 0.9
    seen = impressions([shop.trial], shop.home, BEGUN + timedelta(days=11, hours=23))
    assert int(seen.served.sum()) == 12 * 400
    assert len(seen.arm) == 10 * 400, "the last two days may still be clicked on"
    assert (np.unique(seen.propensity) > 0.0).all()
    result = result_of(
        evaluate(shop.trial, shop.home, METRICS, BEGUN + timedelta(days=11, hours=23))
    )
    assert result.winner == shop.item.arms[1]
    assert result.validity == "adaptive"
    for arm, rate in zip(result.arms, RATES, strict=True):
        assert arm.low is not None
        assert arm.high is not None
        assert arm.low - 0.01 < rate < arm.high + 0.01


def test_what_it_knows_follows_from_events_and_outcomes_alone(shop: Shop) -> None:
    for day in range(5):
        shop.serve(day)
        shop.learn(day)
    state = shop.trial.bandit
    assert state is not None
    assert state.until == BEGUN + timedelta(days=2, hours=23)
    forgetful = Trial(experiment=shop.item, steps=shop.trial.steps)
    again = learn([forgetful], shop.home, state.updated)[""]
    assert again.successes == pytest.approx(state.successes)
    assert again.failures == pytest.approx(state.failures)
    assert again.shares == pytest.approx(state.shares)
    assert sum(state.successes) > 30.0


@pytest.mark.parametrize("wait", [0, 2])
def test_outcomes_that_come_late_are_counted_all_the_same(tmp_path: Path, wait: int) -> None:
    shop = Shop(tmp_path / "home", wait_days=wait, silence_counts=False)
    arm, now = shop.serve(0, hear_of_it=False), BEGUN + timedelta(days=5)
    shop.home.catalog.put_bandits("demand", learn([shop.trial], shop.home, now))
    assert shop.trial.shares == pytest.approx((1 / 3, 1 / 3, 1 / 3), abs=0.05)
    hear(shop.home, shop.names, (arm == 2).astype(float), BEGUN + timedelta(days=1))
    late = learn([shop.trial], shop.home, now)[""]
    assert late.successes == pytest.approx((0.0, 0.0, (arm == 2).sum()), rel=0.2)
    assert late.shares[2] > 0.9
    shop.home.catalog.put_bandits("demand", {"": late})
    hear(shop.home, shop.names, (arm == 1).astype(float), BEGUN + timedelta(days=1, hours=2))
    corrected = learn([shop.trial], shop.home, now)[""]
    assert corrected.successes == pytest.approx((0.0, (arm == 1).sum(), 0.0), rel=0.2)


def test_outcomes_of_later_impressions_do_not_make_it_count_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(4):
        shop.serve(day)
        shop.learn(day)
    hear(shop.home, shop.names, np.ones(400), BEGUN + timedelta(days=3, hours=9))
    since = read_since(shop, monkeypatch)
    learn([shop.trial], shop.home, BEGUN + timedelta(days=4, hours=23))
    assert since == [BEGUN + timedelta(days=1)]


def test_where_a_lower_outcome_is_better_it_serves_the_arm_with_the_fewest(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "home", direction="lower")
    for day in range(6):
        shop.serve(day)
        shop.learn(day)
    assert shop.trial.shares[0] > 0.9
    result = result_of(evaluate(shop.trial, shop.home, METRICS, BEGUN + timedelta(days=6)))
    assert (result.winner, result.contrasts[0].verdict) == (None, "worse")


def test_learning_again_at_once_changes_nothing(shop: Shop) -> None:
    for day in range(4):
        shop.serve(day)
    shop.learn(3)
    before = shop.trial.bandit
    shop.learn(3)
    after = shop.trial.bandit
    assert before is not None
    assert after is not None
    assert (after.successes, after.failures) == (before.successes, before.failures)


def test_each_impression_has_the_outcomes_until_the_next_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "home", wait_days=3)
    for day in range(3):
        shop.home.events.append(
            event_table(
                key=["ann", "bob"], time=BEGUN + timedelta(days=day), logical_model="demand",
                segment="", version=shop.item.arms[1], role="challenger",
                outputs={"probability": [0.1, 0.1]}, propensity=0.5,
            )
        )  # fmt: skip
    hear(shop.home, ["ann"], [1.0], BEGUN + timedelta(days=1, hours=5))
    hear(shop.home, ["bob"], [1.0], BEGUN + timedelta(days=5, hours=5))  # too late
    found = impressions([shop.trial], shop.home, BEGUN + timedelta(days=9))
    assert found.reward.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert found.entity.tolist() == [0, 1, 0, 1, 0, 1]


def test_an_impression_has_no_outcome_of_what_was_shown_outside_of_the_experiment(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path / "home", wait_days=3)
    for day, share in ((0, 0.5), (1, 1.0)):  # on the second day, the champion serves everyone
        shop.home.events.append(
            event_table(
                key=["ann"], time=BEGUN + timedelta(days=day), logical_model="demand",
                segment="", version=shop.item.arms[0], role="champion",
                outputs={"probability": [0.1]}, propensity=share,
            )
        )  # fmt: skip
    hear(shop.home, ["ann"], [1.0], BEGUN + timedelta(days=1, hours=5))
    found = impressions([shop.trial], shop.home, BEGUN + timedelta(days=9))
    assert found.reward.tolist() == [0.0]


def test_what_is_told_in_the_moment_of_a_list_came_of_the_one_before(tmp_path: Path) -> None:
    rank = RankSchema(entity="customer", item="product", time="sold", length=2)
    shop = Shop(tmp_path / "home", model=replace(MODEL, schema=rank))
    for day in range(2):
        shop.home.events.append(
            event_table(
                key=["ann"], time=BEGUN + timedelta(days=day), logical_model="demand",
                segment="", version=shop.item.arms[0], role="champion",
                outputs={"items": ["tea"], "score": [1.0]}, propensity=0.5,
            )
        )  # fmt: skip
    hear(shop.home, ["ann"], [1.0], BEGUN + timedelta(days=1))
    found = impressions([shop.trial], shop.home, BEGUN + timedelta(days=9))
    assert found.reward.tolist() == [1.0, 0.0]


def test_a_bandit_of_amounts_learns_what_is_bought_and_tells_the_uplift(shop: Shop) -> None:
    ranks = RankSchema(entity="customer", item="product", time="sold")
    model = replace(shop.home.catalog.logical_model("demand"), schema=ranks)
    shop.home.catalog.put_logical_model(model)
    arm = shop.serve(0)
    spent = np.array([0.0, 30.0, 0.0])[arm] * (np.arange(400) % 2)
    hear(shop.home, shop.names, spent, BEGUN + timedelta(hours=20))
    now = BEGUN + timedelta(days=5)
    state = learn([shop.trial], shop.home, now)[""]
    assert sum(state.successes) == pytest.approx((spent > 0).sum(), rel=0.1)
    assert state.shares[1] > 0.95
    result = result_of(evaluate(shop.trial, shop.home, METRICS, now))
    assert [found.value for found in result.arms] == pytest.approx([0.0, 15.0, 0.0], abs=2.0)
    assert f"an outcome of {spent.mean():.4g}, +{spent.mean():.4g}" in result.notes[0]


def test_without_impressions_all_arms_are_alike(shop: Shop) -> None:
    assert learn([], shop.home, BEGUN) == {}
    state = learn([shop.trial], shop.home, BEGUN + timedelta(days=1))[""]
    assert state.shares == pytest.approx((1 / 3, 1 / 3, 1 / 3), abs=0.05)


def test_experiments_that_have_just_begun_are_counted(tmp_path: Path) -> None:
    for kind in ("shadow", "ab", "bandit"):
        bandit = BanditSettings() if kind == "bandit" else None
        home, arms = home_with_arms(tmp_path / kind)
        size = None if bandit else 100
        begin(home, experiment(arms, kind=kind, bandit=bandit, sample_size=size))
        trial = home.catalog.experiment("demand", "", "spring")
        found = evaluate(trial, home, METRICS, BEGUN + timedelta(days=1))
        assert set(found.progress.enrolled.values()) == {0}
        assert not found.progress.complete
    result = result_of(found)
    assert (result.winner, result.notes) == (None, ())
    assert "cannot be told from the champion yet" in result.sentence
