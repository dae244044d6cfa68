"""A/B tests from events and outcomes: sealed until they are complete, then told, and guarded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy import stats

from loopcast.api import DataError, Experiment, ExperimentStep, GateError, RankSchema
from loopcast.iterate.experiments.evaluation import evaluate, result_of
from loopcast.iterate.experiments.planning import Declaration, plan
from loopcast.iterate.experiments.ratio import mismatch
from loopcast.store.events import event_table
from loopcast.store.home import Home
from loopcast.store.trials import Trial

from .worlds import (
    BEGUN,
    MODEL,
    RANK_METRICS,
    begin,
    evaluated,
    experiment,
    hear,
    home_with_arms,
    serve,
)

World = tuple[Home, Experiment, NDArray[np.intp], NDArray[np.float64]]
NAMES = [f"customer {number}" for number in range(3_000)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An A/B test whose second arm has more events, with every outcome drawn."""
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms)
    begin(home, item)
    arm = serve(home, item, NAMES)
    happened = np.random.default_rng(1).random(len(NAMES)) < np.where(arm == 1, 0.4, 0.2)
    return home, item, arm, happened.astype(float)


def test_it_is_sealed_until_its_sample_is_complete(world: World) -> None:
    home, _, arm, happened = world
    hear(home, NAMES[:300], happened[:300])
    found = evaluated(home)
    progress = found.progress
    assert sum(progress.enrolled.values()) == 3000
    assert list(progress.known.values()) == np.bincount(arm[:300]).tolist()
    assert not progress.complete
    with pytest.raises(GateError, match=r"sealed until the outcomes of 500 .* known: 1\d\d are"):
        result_of(found)
    hear(home, NAMES, happened)
    assert evaluated(home).progress.complete
    result_of(evaluated(home))


def test_it_is_a_test_of_the_first_entities_of_each_arm(world: World) -> None:
    home, item, arm, happened = world
    hear(home, NAMES, happened)
    result = result_of(evaluated(home))
    one, two = (happened[arm == number][:500] for number in range(2))
    expected = stats.ttest_ind(two, one, equal_var=False)
    [contrast] = result.contrasts
    assert contrast.difference == pytest.approx(two.mean() - one.mean())
    assert contrast.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval(0.95)
    assert (contrast.low, contrast.high) == pytest.approx((interval.low, interval.high), rel=1e-3)
    assert [a.value for a in result.arms] == pytest.approx([one.mean(), two.mean()])
    assert (contrast.verdict, result.winner) == ("better", item.arms[1])
    assert result.validity == "fixed"
    looks = result.course[item.arms[1]]
    assert looks[-1].difference == pytest.approx(contrast.difference)
    assert [look.count for look in looks] == sorted({look.count for look in looks})


def test_later_outcomes_change_nothing(world: World) -> None:
    home, _, _, happened = world
    hear(home, NAMES[:2000], happened[:2000])
    before = result_of(evaluated(home))
    hear(home, NAMES, happened)
    assert result_of(evaluated(home, days=300)).contrasts == before.contrasts


def test_a_lower_outcome_may_be_the_better_one(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms, direction="lower", metric="brier", minimum_effect=0.01)
    begin(home, item)
    serve(home, item, NAMES, said=0.2)
    hear(home, NAMES, np.random.default_rng(2).random(3000) < 0.2)
    result = result_of(evaluated(home))
    assert result.winner is None
    assert result.contrasts[0].verdict in {"same", "undecided"}
    assert result.arms[0].value == pytest.approx(0.16, abs=0.03)


def test_three_arms_share_the_significance(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home", 3)
    item = experiment(arms)
    begin(home, item)
    arm = serve(home, item, NAMES)
    happened = np.random.default_rng(3).random(3000) < np.array([0.2, 0.2, 0.45])[arm]
    hear(home, NAMES, happened.astype(float))
    result = result_of(evaluated(home))
    one, three = (happened[arm == number][:500] for number in (0, 2))
    interval = stats.ttest_ind(three, one, equal_var=False).confidence_interval(0.975)
    assert result.contrasts[1].low == pytest.approx(interval.low, rel=1e-3)
    assert result.winner == item.arms[2]


def test_a_broken_guardrail_stops_a_winner(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms, guardrails={"brier": 0.01})
    begin(home, item)
    arm = serve(home, item, NAMES)
    happened = np.random.default_rng(1).random(3000) < np.where(arm == 1, 0.5, 0.2)
    hear(home, NAMES, happened.astype(float))
    result = result_of(evaluated(home))
    assert result.contrasts[0].verdict == "better"
    assert [(g.metric, g.verdict) for g in result.guardrails] == [("brier", "worse")]
    assert result.winner is None
    assert "better, but breaks the guardrail brier" in result.sentence


def test_silence_counts_where_it_was_declared(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms, silence_counts=True, wait_days=14)
    begin(home, item)
    arm = serve(home, item, NAMES, per_day=1000)
    clicked = np.random.default_rng(1).random(3000) < np.where(arm == 1, 0.4, 0.2)
    hear(home, np.array(NAMES)[clicked].tolist(), [1.0] * int(clicked.sum()), BEGUN + timedelta(4))
    early = evaluated(home, days=10).progress
    assert sum(early.known.values()) == clicked.sum()
    assert sum(evaluated(home, days=15).progress.known.values()) > clicked.sum()
    found = result_of(evaluated(home, days=20))
    one, two = (clicked[arm == number][:500] for number in range(2))
    assert [a.value for a in found.arms] == pytest.approx([one.mean(), two.mean()])


def test_a_random_labelling_budget_is_weighted(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms, sample_size=600)
    begin(home, item)
    random = np.random.default_rng(5)
    risky = np.arange(6000) % 2 == 0
    names = [f"c{number}" for number in range(6000)]
    share = np.where(risky, 0.8, 0.2)
    chosen = random.random(6000) < share
    arm = random.integers(0, 2, 6000)
    home.events.append(
        event_table(
            key=names, time=BEGUN, logical_model="demand", segment="",
            version=np.array(item.arms)[arm],
            role=np.where(arm == 0, "champion", "challenger"),
            outputs={"probability": np.full(6000, 0.5)}, propensity=0.5,
            labelling=np.where(chosen, share, 0.0),
        )
    )  # fmt: skip
    hear(home, names, risky.astype(float))
    found = result_of(evaluated(home))
    assert found.arms[0].value == pytest.approx(0.5, abs=0.06), "0.8 without weights"
    assert sum(found.progress.known.values()) == chosen.sum()


def test_an_unequal_division_is_told_and_trusted_by_no_one(world: World) -> None:
    home, item, _, happened = world
    hear(home, NAMES, happened)
    more = [f"robot {number}" for number in range(400)]
    home.events.append(
        event_table(
            key=more, time=BEGUN, logical_model="demand", segment="", version=item.arms[1],
            role="challenger", outputs={"probability": np.full(400, 0.2)}, propensity=0.5,
        )
    )  # fmt: skip
    result = result_of(evaluated(home))
    assert result.progress.mismatch is not None
    assert result.progress.mismatch < 1e-6
    assert result.winner is None
    assert "find out why" in result.sentence


def test_an_entity_belongs_to_the_arm_that_served_it_first(world: World) -> None:
    home, item, arm, happened = world
    hear(home, NAMES, happened)
    before = result_of(evaluated(home)).contrasts
    strangers = NAMES[:50]
    home.events.append(
        event_table(
            key=strangers, time=BEGUN + timedelta(days=35), logical_model="demand", segment="",
            version=np.array(item.arms)[1 - arm[:50]], role="challenger",
            outputs={"probability": np.full(50, 0.2)}, propensity=0.5,
        )
    )  # fmt: skip
    result = result_of(evaluated(home))
    assert result.progress.crossed == 50
    assert result.contrasts == before


def test_what_no_experiment_assigned_stays_out(world: World) -> None:
    home, item, _, _ = world
    home.events.append(
        event_table(
            key=["late server"], time=BEGUN, logical_model="demand", segment="",
            version=item.arms[0], role="champion", outputs={"probability": [0.2]},
        )
    )  # fmt: skip
    assert sum(evaluated(home).progress.enrolled.values()) == 3000


def test_a_sequential_test_may_be_looked_at_any_time(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    item = experiment(arms, sequential=True, sample_size=1200, minimum_effect=0.1)
    begin(home, item)
    arm = serve(home, item, NAMES)
    happened = np.random.default_rng(1).random(3000) < np.where(arm == 1, 0.5, 0.2)
    verdicts = []
    for count in (50, 300, 1000, 3000):
        hear(home, NAMES[:count], happened[:count].astype(float))
        found = result_of(evaluated(home))
        verdicts.append(found.contrasts[0].verdict)
        assert found.validity == "always"
    assert verdicts[0] == "undecided"
    assert verdicts[-1] == "better"


def test_what_was_stopped_early_shows_intervals_that_hold_at_any_time(world: World) -> None:
    home, item, _, happened = world
    hear(home, NAMES[:600], happened[:600])
    stop = ExperimentStep(step="stopped", at=BEGUN + timedelta(50), by="ann", reason="fault")
    home.catalog.take_step([item], stop)
    result = result_of(evaluated(home, days=60))
    assert (result.validity, result.progress.state) == ("always", "stopped")
    fixed = stats.norm.ppf(0.975) * np.sqrt(2 * 0.2 / 300)
    [contrast] = result.contrasts
    assert contrast.low is not None
    assert contrast.high is not None
    assert contrast.high - contrast.low > 2.4 * fixed


def test_unknown_metrics_are_named(world: World) -> None:
    home, item, _, happened = world
    hear(home, NAMES, happened)
    found = evaluated(home)
    object.__setattr__(found.trial, "experiment", replace(item, metric="charm"))
    with pytest.raises(DataError, match="no metric 'charm'; there are outcome, auc"):
        result_of(found)


class TestMismatch:
    def test_it_is_pearsons_test(self) -> None:
        arm = np.repeat([0, 1, 2], [900, 1000, 1100])
        expected = stats.chisquare([900, 1000, 1100]).pvalue
        assert mismatch(arm, np.ones(3000), 3) == pytest.approx(expected)

    def test_a_sample_counts_as_what_it_is_worth(self) -> None:
        arm = np.repeat([0, 1], [900, 1000])
        assert mismatch(arm, np.full(1900, 7.0), 2) == pytest.approx(
            mismatch(arm, np.ones(1900), 2)
        )

    def test_false_alarms_are_as_rare_as_they_should_be(self) -> None:
        random = np.random.default_rng(0)
        found = [mismatch(random.integers(0, 2, 500), np.ones(500), 2) for _ in range(2000)]
        assert abs(np.mean(np.array(found) < 0.05) - 0.05) < 0.015

    def test_nobody_is_no_mismatch(self) -> None:
        assert mismatch(np.array([], dtype=np.intp), np.array([]), 2) == 1.0


RANK = RankSchema(entity="customer", item="product", time="sold", length=2)


def test_lists_of_an_ab_test_are_judged_by_choices_or_by_revenue(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home", model=replace(MODEL, schema=RANK))
    item = experiment(arms, metric="recall", sample_size=100)
    begin(home, item)
    names = NAMES[:400]
    arm = np.arange(400) % 2
    home.events.append(
        event_table(
            key=names, time=BEGUN, logical_model="demand", segment="",
            version=np.array(arms)[arm], role=np.where(arm == 0, "champion", "challenger"),
            outputs={"items": np.where(arm == 0, "tea\npot", "oil"), "score": np.ones(400)},
            propensity=0.5,
        )
    )  # fmt: skip
    hear(home, names, ["oil", "tea", "pot", "oil"] * 100)
    trial = home.catalog.experiment("demand", "", "spring")
    now = BEGUN + timedelta(days=60)
    result = result_of(evaluate(trial, home, RANK_METRICS, now))
    assert [found.value for found in result.arms] == [0.5, 0.5]
    revenue = Trial(experiment=replace(item, metric="outcome"), steps=trial.steps)
    with pytest.raises(DataError, match="200 outcomes of demand are no numbers"):
        result_of(evaluate(revenue, home, RANK_METRICS, now + timedelta(days=1)))
    hear(home, names, np.where(arm == 1, 20.0, 10.0), now)
    result = result_of(evaluate(revenue, home, RANK_METRICS, now + timedelta(days=1)))
    assert [found.value for found in result.arms] == [10.0, 20.0]


def test_what_was_chosen_before_a_list_was_made_is_not_what_its_arm_has_done(
    tmp_path: Path,
) -> None:
    home, arms = home_with_arms(tmp_path / "home", model=replace(MODEL, schema=RANK))
    begin(home, experiment(arms, metric="recall", sample_size=50))
    arm = np.arange(400) % 2
    home.events.append(
        event_table(
            key=NAMES[:400], time=BEGUN, logical_model="demand", segment="",
            version=np.array(arms)[arm], role=np.where(arm == 0, "champion", "challenger"),
            outputs={"items": ["tea"] * 400, "score": np.ones(400)}, propensity=0.5,
        )
    )  # fmt: skip
    hear(home, NAMES[:200], ["oil"] * 200, BEGUN - timedelta(days=1))
    hear(home, NAMES[200:400], ["tea"] * 200)
    trial = home.catalog.experiment("demand", "", "spring")
    result = result_of(evaluate(trial, home, RANK_METRICS, BEGUN + timedelta(days=60)))
    assert [found.value for found in result.arms] == [1.0, 1.0]


def test_what_came_of_the_lists_of_later_nights_is_not_what_the_first_has_done(
    tmp_path: Path,
) -> None:
    home, arms = home_with_arms(tmp_path / "home", model=replace(MODEL, schema=RANK))
    item = experiment(arms, sample_size=100, silence_counts=True, wait_days=5)
    trial = begin(home, item)
    arm = np.arange(400) % 2
    for night in range(3):
        home.events.append(
            event_table(
                key=NAMES[:400], time=BEGUN + timedelta(days=night), logical_model="demand",
                segment="", version=np.array(arms)[arm],
                role=np.where(arm == 0, "champion", "challenger"),
                outputs={"items": ["tea"] * 400, "score": np.ones(400)}, propensity=0.5,
            )
        )  # fmt: skip
    # Of the challenger's customers, half choose of the first list; all others, of later ones.
    # What is told in the moment in which the next list is made came of the list before.
    hear(home, NAMES[1:400:4], np.ones(100), BEGUN + timedelta(days=1))
    hear(home, NAMES[:400], np.ones(400), BEGUN + timedelta(days=1, hours=2))
    hear(home, NAMES[:200], np.zeros(200), BEGUN + timedelta(days=2, hours=2))
    for days in (6, 60):
        result = result_of(evaluate(trial, home, RANK_METRICS, BEGUN + timedelta(days=days)))
        assert [found.value for found in result.arms] == [0.0, 0.5]


def test_the_baseline_of_a_test_of_lists_is_what_came_of_one_list(tmp_path: Path) -> None:
    home, _ = home_with_arms(tmp_path / "home", model=replace(MODEL, schema=RANK))
    [champion] = home.catalog.champions("demand", [""]).values()
    for night in range(2):
        home.events.append(
            event_table(
                key=NAMES[:400], time=BEGUN + timedelta(days=night), logical_model="demand",
                segment="", version=champion.id, role="champion",
                outputs={"items": ["tea"] * 400, "score": np.ones(400)},
            )
        )  # fmt: skip
    hear(home, NAMES[:100], np.ones(100), BEGUN + timedelta(hours=9))
    hear(home, NAMES[:400], np.ones(400), BEGUN + timedelta(days=1, hours=9))
    wanted = Declaration(
        name="spring", kind="ab", metric="outcome", direction="higher", minimum_effect=0.1,
        silence_counts=True, wait_days=1,
    )  # fmt: skip
    now = BEGUN + timedelta(days=3)
    [planned] = plan(wanted, "demand", [""], home, RANK_METRICS, by="ann", now=now)
    assert planned.baseline == 0.25
