"""Gates on performance: thresholds, baselines, champion, calibration, fairness."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from loopcast.api import (
    ForecastOutcome,
    GateResult,
    Judged,
    Kpi,
    Production,
    ScoreOutcome,
    Scores,
    Subject,
    Task,
)
from loopcast.validate.calibration import Calibration, check_calibration
from loopcast.validate.fairness import Fairness, check_fairness
from loopcast.validate.performance import (
    AgainstBaselines,
    AgainstChampion,
    Thresholds,
    Variation,
    check_baselines,
    check_champion,
    check_thresholds,
    check_variation,
)
from loopcast.validate.recent import Recent, check_recent

from .conftest import METRICS, judged, outcomes, subject_of, with_model

Floats = NDArray[np.float64]


def passed(results: Iterable[GateResult]) -> dict[str, bool]:
    return {result.test: result.passed for result in results}


def with_own(subject: Subject, outcome: ForecastOutcome | ScoreOutcome) -> Subject:
    others = dict(subject.judged.outcomes) | {"own": outcome}
    return replace(subject, judged=replace(subject.judged, outcomes=others))


def test_thresholds_hold_overall_and_for_each_group() -> None:
    options = Thresholds(at_most={"mae": 0.85}, at_least={"coverage": 0.99}, by=("sex",))
    assert passed(check_thresholds(subject_of("forecast"), options)) == {
        "mae": True, "mae of sex=female": True, "mae of sex=male": True,
        "coverage": False, "coverage of sex=female": False, "coverage of sex=male": False,
    }  # fmt: skip
    [none] = check_thresholds(subject_of("forecast"), Thresholds())
    assert (none.passed, none.measured) == (False, "the policy sets none")


def rival_of(subject: Subject, noise: float) -> Subject:
    """Give a subject a champion that was judged on the same rows."""
    task = subject.logical_model.task
    own = subject.judged.outcomes["own"]
    champion = outcomes(task, len(subject.judged.block), noise, 9)
    rival = replace(subject.judged, outcomes={"champion": champion, "own": own})
    return replace(subject, rival=rival)


@pytest.mark.parametrize(
    ("noise", "need", "passes"),
    [
        (6.0, "not_worse", True),
        (0.1, "not_worse", False),
        (1.0, "not_worse", True),
        (1.0, "better", False),
        (6.0, "better", True),
    ],
)
def test_the_champion_is_compared_row_by_row(noise: float, need: str, passes: bool) -> None:
    subject = rival_of(subject_of("forecast"), noise)
    [found] = check_champion(subject, AgainstChampion(need=need))  # type: ignore[arg-type]
    assert found.passed is passes
    assert "interval" in found.measured


def test_without_a_champion_it_passes_and_says_so() -> None:
    subject = subject_of("forecast")
    for found in (
        *check_champion(subject, AgainstChampion()),
        *check_variation(subject, Variation()),
    ):
        assert (found.passed, found.measured) == (True, "there is no champion")


def test_baselines_have_to_be_beaten() -> None:
    subject = subject_of("forecast")
    assert passed(check_baselines(subject, AgainstBaselines())) == {"naive": True}
    equal = with_own(subject, outcomes("forecast", 960, 6.0, 4))  # type: ignore[arg-type]
    assert passed(check_baselines(equal, AgainstBaselines())) == {"naive": False}
    assert passed(check_baselines(equal, AgainstBaselines(need="not_worse"))) == {"naive": True}


def alone(probability: Callable[[Floats, Floats], Floats], kpi: str) -> Subject:
    """Return a score without a baseline, from the outcomes and as many uniform numbers."""
    subject = subject_of("score")
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    said = probability(own.actual, np.random.default_rng(5).random(len(own.actual)))
    judged = replace(subject.judged, outcomes={"own": replace(own, probability=said)})
    model = msgspec.structs.replace(
        subject.logical_model, kpi=Kpi(metric=kpi, direction=METRICS[kpi].direction)
    )
    return replace(subject, judged=judged, logical_model=model)


@pytest.mark.parametrize("need", ["better", "not_worse"])
@pytest.mark.parametrize("kpi", ["auc", "gini", "log_loss"])
@pytest.mark.parametrize(
    ("probability", "passes"),
    [
        (lambda actual, noise: 0.3 * actual + 0.6 * noise, True),
        (lambda actual, noise: 0.05 + 0.9 * noise, False),
        (lambda actual, noise: np.full(len(actual), actual.mean()), False),
    ],
    ids=["informed", "noise", "constant"],
)
def test_a_score_without_baselines_has_to_beat_its_base_rate(
    probability: Callable[[Floats, Floats], Floats], passes: bool, kpi: str, need: Any
) -> None:
    found = check_baselines(alone(probability, kpi), AgainstBaselines(need=need))
    assert passed(found) == {"the base rate": passes}


def test_a_kpi_that_a_constant_has_not_is_said_to_be_none() -> None:
    lift = alone(lambda actual, noise: noise, "lift")

    def known_of_several(outcome: ScoreOutcome) -> float:
        return 1.0 if len(np.unique(outcome.probability)) > 1 else np.nan

    metric = replace(METRICS["lift"], whole=known_of_several)
    [found] = check_baselines(replace(lift, metrics={"lift": metric}), AgainstBaselines())
    assert (found.passed, found.measured) == (True, "a constant has no lift")


@pytest.mark.parametrize("task", ["forecast", "rank"])
def test_without_baselines_the_other_tasks_say_so(task: Task) -> None:
    subject = subject_of(task)
    judged = replace(subject.judged, outcomes={"own": subject.judged.outcomes["own"]})
    [found] = check_baselines(replace(subject, judged=judged), AgainstBaselines())
    assert (found.passed, found.measured) == (True, "the logical model has no baseline")


def test_a_wide_variation_from_the_champion_is_noticed() -> None:
    near, far = (rival_of(subject_of("forecast"), noise) for noise in (1.0, 90.0))
    assert set(passed(check_variation(near, Variation())).values()) == {True}
    assert passed(check_variation(far, Variation())) == {
        "median": False,
        "95th percentile": False,
    }


def test_newest_rows_that_are_worse_are_noticed() -> None:
    subject = subject_of("forecast")
    assert list(passed(check_recent(subject, Recent())).values()) == [True]
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ForecastOutcome)
    late = subject.judged.block >= 30
    worse = replace(own, mean=np.where(late, own.actual + 4 * (own.mean - own.actual), own.mean))
    [found] = check_recent(with_own(subject, worse), Recent())
    assert not found.passed
    assert found.test == "newest 10 of 40 origins"


def asked(subject: Subject, known: int, shift: float) -> Subject:
    """Let production ask the scenario's rows again and again, with outcomes of the first ones."""
    [scenario] = subject.scenarios
    assert isinstance(scenario.inputs, pd.DataFrame)
    rows = pd.concat([scenario.inputs] * 10, ignore_index=True)
    answer = subject.answer("", rows)
    assert isinstance(answer, Scores)
    rng = np.random.default_rng(8)
    happened = rng.uniform(size=len(rows)) < np.clip(answer.probability + shift, 0.0, 1.0)
    actual = np.where(np.arange(len(rows)) < known, happened.astype(float), np.nan)
    return replace(subject, production=Production(rows=rows, actual=actual))


def test_a_score_is_asked_what_production_asked() -> None:
    subject = subject_of("score")
    [none] = check_recent(subject, Recent())
    assert (none.passed, none.measured) == (True, "nothing was asked yet")
    few = list(check_recent(asked(subject, 50, 0.0), Recent()))
    assert [(r.test, r.passed, r.measured) for r in few] == [
        ("requests", True, "400 probabilities"),
        ("outcomes of requests", True, "50 outcomes are known"),
    ]
    good = passed(check_recent(asked(subject, 400, 0.0), Recent()))
    assert good == {"requests": True, "outcomes of requests": True}
    assert not passed(check_recent(asked(subject, 400, 0.6), Recent(worse_by=0.1)))[
        "outcomes of requests"
    ]


def test_a_score_that_fails_on_what_production_asked_is_noticed() -> None:
    subject = asked(subject_of("score"), 400, 0.0)
    broken = with_model(subject, lambda rows: Scores(probability=np.full(len(rows), np.nan)))
    first, second = check_recent(broken, Recent())
    assert (first.passed, first.measured) == (False, "400 of 400 are no probabilities")
    assert second.passed


def test_intervals_that_are_too_narrow_or_too_wide_are_noticed() -> None:
    subject = subject_of("forecast")
    assert passed(check_calibration(subject, Calibration())) == {"90% interval": True}
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ForecastOutcome)
    for factor in (0.3, 3.0):
        quantiles = own.mean[:, None] + factor * (own.quantiles - own.mean[:, None])
        wrong = with_own(subject, replace(own, quantiles=quantiles))
        assert passed(check_calibration(wrong, Calibration())) == {"90% interval": False}


def test_probabilities_that_are_too_high_are_noticed_in_their_bins() -> None:
    subject = subject_of("score")
    sound = passed(check_calibration(subject, Calibration()))
    assert len(sound) == 11
    assert all(sound.values())
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    high = replace(own, probability=np.where(own.probability > 0.4, 0.95, own.probability))
    found = passed(check_calibration(with_own(subject, high), Calibration()))
    assert not found["overall"]
    assert not found["probabilities 0.95 to 0.95"]
    assert sum(found.values()) == len(found) - 2


def test_gaps_are_smaller_where_the_event_is_rare() -> None:
    """Twice as many events as were said are too many, though they are but one in a hundred more."""
    subject, rows = subject_of("score"), 20_000
    subject = replace(subject, judged=judged("score", rows))
    actual = (np.random.default_rng(3).random(rows) < 0.02).astype(np.float64)
    outcomes = [
        ScoreOutcome(actual=actual, probability=np.full(rows, said), weight=np.ones(rows))
        for said in (0.02, 0.01)
    ]
    right, half = (
        passed(check_calibration(with_own(subject, outcome), Calibration())) for outcome in outcomes
    )
    assert all(right.values())
    assert not any(half.values())
    none = replace(outcomes[1], actual=np.zeros(rows), probability=np.full(rows, 0.0001))
    [overall, *_] = check_calibration(with_own(subject, none), Calibration())
    assert overall.passed
    assert overall.measured.startswith("0 against 0.0001, interval -0.0002")


def biased(subject: Subject, females_up_by: float) -> Subject:
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    female = np.asarray(subject.judged.attributes["sex"] == "female")
    probability = np.clip(own.probability + females_up_by * female, 0.0, 1.0)
    return with_own(subject, replace(own, probability=probability))


def test_four_fifths_are_kept_or_missed_for_certain() -> None:
    options = Fairness(cutoff=0.4)
    assert all(passed(check_fairness(subject_of("score"), options)).values())
    found = passed(check_fairness(biased(subject_of("score"), 0.2), options))
    assert found["sex=female: favourable scores"] is False


def test_a_cutoff_that_nobody_chose_and_that_divides_nobody_is_no_proof() -> None:
    """Of a rare event all scores are below one half, whoever they are of."""
    subject = subject_of("score")
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    rare = with_own(subject, replace(own, probability=own.probability / 50.0))
    first, *of_kpi = check_fairness(rare, Fairness())
    assert (first.test, first.passed) == ("sex: favourable scores", False)
    assert "nobody chose one" in first.measured
    assert all("brier" in result.test for result in of_kpi)
    of_groups = [r for r in check_fairness(rare, Fairness(cutoff=0.5)) if "favourable" in r.test]
    assert [result.passed for result in of_groups] == [True]


def test_few_rows_are_not_certain() -> None:
    """The same bias over forty rows has an interval that reaches four fifths."""
    subject = biased(subject_of("score"), 0.15)
    judged, rows = subject.judged, np.arange(40)
    own = judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    few = Judged(
        keys=tuple(key[:40] for key in judged.keys), block=judged.block[:40],
        overall=judged.overall[:40], attributes={"sex": judged.attributes["sex"][:40]},
        outcomes={"own": ScoreOutcome(
            actual=own.actual[rows], probability=own.probability[rows], weight=own.weight[rows]
        )},
    )  # fmt: skip
    options = Fairness(cutoff=0.4, minimum_rows=10)
    many = passed(check_fairness(subject, options))
    assert many["sex=female: favourable scores"] is False
    assert passed(check_fairness(replace(subject, judged=few), options))[
        "sex=female: favourable scores"
    ]
    [small] = check_fairness(replace(subject, judged=few), Fairness(minimum_rows=30))
    assert small.measured == "fewer than two groups of at least 30 rows"


def test_a_group_that_is_served_worse_is_noticed() -> None:
    subject = subject_of("forecast")
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ForecastOutcome)
    female = np.asarray(subject.judged.attributes["sex"] == "female")
    mean = np.where(female, own.actual + 3 * (own.mean - own.actual), own.mean)
    found = passed(check_fairness(with_own(subject, replace(own, mean=mean)), Fairness()))
    assert found == {"sex=female: mae": False, "sex=male: mae": True}


def test_too_many_groups_are_not_tested_and_said_so() -> None:
    subject = subject_of("forecast")
    many = pd.Categorical(np.arange(960) % 80)
    judged = replace(subject.judged, attributes={"series": many})
    [found] = check_fairness(replace(subject, judged=judged), Fairness(minimum_rows=5))
    assert (found.passed, found.measured) == (
        True, "not tested: 80 groups, more than most_groups 50"
    )  # fmt: skip


def test_an_attribute_that_nothing_was_judged_by_fails() -> None:
    [found] = check_fairness(subject_of("score"), Fairness(attributes=("age",)))
    assert (found.passed, found.measured) == (False, "they were judged by: sex")


def test_groups_that_are_fair_by_each_attribute_may_not_be_where_they_meet() -> None:
    """Women in the north and men in the south are refused: each attribute alone looks even."""
    subject = subject_of("score")
    own = subject.judged.outcomes["own"]
    assert isinstance(own, ScoreOutcome)
    rows = len(own.actual)
    female = np.asarray(subject.judged.attributes["sex"] == "female")
    north = (np.arange(rows) // 2) % 2 == 0
    probability = np.clip(own.probability + 0.25 * (female == north), 0.0, 1.0)
    region = pd.Categorical(np.where(north, "north", "south"))
    judged = replace(subject.judged, attributes={**subject.judged.attributes, "region": region})
    subject = with_own(replace(subject, judged=judged), replace(own, probability=probability))
    options = Fairness(attributes=("sex", "region"), cutoff=0.4, worse_by=9.0)
    found = passed(check_fairness(subject, options))
    failed = {name for name, fine in found.items() if not fine}
    assert failed == {
        f"sex × region={group}: favourable scores" for group in ("female × north", "male × south")
    }
    alone = replace_option(options, crossed=False)
    assert all(passed(check_fairness(subject, alone)).values())


def replace_option(options: Fairness, **changes: object) -> Fairness:
    changed: Fairness = msgspec.structs.replace(options, **changes)
    return changed
