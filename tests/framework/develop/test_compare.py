"""Versions are compared on the same rows, judged in the same way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed
from numpy.typing import NDArray
from scipy import stats

from loopcast.api import (
    ForecastOutcome,
    Judged,
    Kpi,
    MetricDefinition,
    Outcome,
    Ranking,
    RankOutcome,
    ScoreOutcome,
)
from loopcast.develop.compare import change_of_predictions, compare
from loopcast.develop.metrics import loopcast_metrics as forecast_metrics
from loopcast.develop.score.metrics import loopcast_metrics as score_metrics

FORECAST = {definition.name: definition for definition in forecast_metrics()}
SCORE = {definition.name: definition for definition in score_metrics()}
LEVELS = np.array([0.05, 0.5, 0.95])


def judged(outcomes: dict[str, Outcome], block: NDArray[np.int64]) -> Judged:
    count = len(block)
    return Judged(
        keys=(pd.Categorical(np.arange(count)),),
        block=block,
        overall=np.ones(count, bool),
        attributes={"half": pd.Categorical(np.where(np.arange(count) % 2, "odd", "even"))},
        outcomes=outcomes,
    )


def forecast(actual: NDArray[np.float64], mean: NDArray[np.float64]) -> ForecastOutcome:
    return ForecastOutcome(
        actual=actual, mean=mean, levels=LEVELS, quantiles=mean[:, None] + [-2.0, 0.0, 2.0]
    )


def forecasts(worse_by: float = 0.0, origins: int = 40, seed: int = 1) -> Judged:
    rng = np.random.default_rng(seed)
    actual = 100.0 + rng.normal(0, 5, origins * 24)
    errors = {"old": 1.0 + worse_by, "new": 1.0}
    outcomes: dict[str, Outcome] = {
        label: forecast(actual, actual + rng.normal(0, size, len(actual)))
        for label, size in errors.items()
    }
    return judged(outcomes, np.arange(origins).repeat(24))


def test_a_clearly_better_forecast_is_better_overall_and_in_each_half() -> None:
    found = compare(forecasts(0.5), "old", "new", [FORECAST["mae"]], Kpi(metric="mae"))
    assert [d.subset for d in found] == ["", "half=even", "half=odd"]
    for difference in found:
        assert difference.verdict == "better"
        assert difference.p_value is not None
        assert difference.p_value < 0.001
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low < difference.difference < difference.high < 0  # type: ignore[operator]
        assert difference.blocks == 40
    assert found[0].rows == 960
    back = compare(forecasts(0.5), "new", "old", [FORECAST["mae"]], Kpi(metric="mae"), by=())
    assert [d.verdict for d in back] == ["worse"]
    assert back[0].difference == -found[0].difference  # type: ignore[operator]


def test_a_minimum_effect_decides_whether_it_matters() -> None:
    def of(minimum_effect: float) -> str:
        kpi = Kpi(metric="mae", minimum_effect=minimum_effect)
        return compare(forecasts(0.5), "old", "new", [FORECAST["mae"]], kpi, by=())[0].verdict

    difference = compare(forecasts(0.5), "old", "new", [FORECAST["mae"]], Kpi(metric="mae"), by=())[
        0
    ].difference
    assert difference is not None
    assert (of(0.1), of(-difference), of(9.0)) == ("better", "undecided", "same")


def test_an_undefined_metric_has_no_difference() -> None:
    data = forecasts()
    actual = data.outcomes["old"].actual.copy()  # type: ignore[union-attr]
    actual[3] = 0.0
    outcomes: dict[str, Outcome] = {
        label: replace(outcome, actual=actual)
        for label, outcome in data.outcomes.items()
        if isinstance(outcome, ForecastOutcome)
    }
    zero = replace(data, outcomes=outcomes)
    overall, even, odd = compare(zero, "old", "new", [FORECAST["mape"]], Kpi(metric="mape"))
    assert (overall.difference, odd.difference, odd.verdict) == (None, None, "undecided")
    assert even.difference is not None


def test_the_error_of_a_root_is_that_of_a_simulation() -> None:
    runs = [
        compare(forecasts(0.2, seed=s), "old", "new", [FORECAST["rmse"]], Kpi(metric="rmse"), by=())
        for s in range(150)
    ]
    differences = np.array([found[0].difference for found in runs])
    widths = np.array([found[0].high - found[0].low for found in runs])  # type: ignore[operator]
    # The default 40 origins give 6 degrees of freedom.
    expected = 2 * stats.t.ppf(0.975, 6) * differences.std()
    assert widths.mean() == pytest.approx(expected, rel=0.12)


def scores(seed: int, shared: float = 0.8, rows: int = 400) -> Judged:
    """Two scores of equal quality."""
    rng = np.random.default_rng(seed)
    actual = (rng.uniform(size=rows) < 0.3).astype(float)
    common = rng.normal(size=rows)
    outcomes: dict[str, Outcome] = {}
    for label in ("old", "new"):
        score = actual + shared * common + (1.0 - shared) * rng.normal(size=rows)
        probability = 1.0 / (1.0 + np.exp(-score))
        outcomes[label] = ScoreOutcome(actual=actual, probability=probability, weight=np.ones(rows))
    return judged(outcomes, np.arange(rows))


def delong_error(data: Judged) -> float:
    """Standard error of the difference of two AUCs.

    E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988), Biometrics 44.
    """
    components = []
    for outcome in data.outcomes.values():
        assert isinstance(outcome, ScoreOutcome)
        bad = outcome.probability[outcome.actual == 1.0]
        good = outcome.probability[outcome.actual == 0.0]
        wins = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)
        components.append((wins.mean(axis=1), wins.mean(axis=0)))
    (bad1, good1), (bad2, good2) = components
    variance = np.var(bad2 - bad1, ddof=1) / len(bad1) + np.var(good2 - good1, ddof=1) / len(good1)
    return float(np.sqrt(variance))


def width(data: Judged, definition: MetricDefinition) -> float:
    [found] = compare(data, "old", "new", [definition], Kpi(metric="auc"), by=())
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_the_error_of_an_auc_is_that_of_delong() -> None:
    ratios = []
    for seed in range(15):
        data = scores(seed)
        error = width(data, SCORE["auc"]) / (2 * stats.t.ppf(0.975, 49))
        ratios.append(error / delong_error(data))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.06)


def test_equal_scores_are_seldom_told_apart() -> None:
    found = [
        compare(scores(s, rows=200), "old", "new", [SCORE["auc"]], Kpi(metric="auc"), by=())[0]
        for s in range(200)
    ]
    rejected = np.mean([(d.p_value or 0.0) < 0.05 for d in found])
    assert rejected < 0.1


def test_rows_of_a_customer_count_once() -> None:
    """Each row ten times over is no more evidence."""
    single = scores(3)
    outcome = single.outcomes
    many = judged(
        {
            label: ScoreOutcome(
                actual=o.actual.repeat(10), probability=o.probability.repeat(10),
                weight=o.weight.repeat(10),
            )
            for label, o in outcome.items()
            if isinstance(o, ScoreOutcome)
        },
        np.arange(400).repeat(10),
    )  # fmt: skip
    for name in ("brier", "auc"):
        assert width(many, SCORE[name]) == pytest.approx(width(single, SCORE[name]), rel=1e-6)


def test_weights_count() -> None:
    data = scores(5)
    weight = np.linspace(0.1, 2.0, 400)
    outcomes: dict[str, Outcome] = {
        label: replace(o, weight=weight)
        for label, o in data.outcomes.items()
        if isinstance(o, ScoreOutcome)
    }
    weighted = replace(data, outcomes=outcomes)
    [found] = compare(weighted, "old", "new", [SCORE["brier"]], Kpi(metric="brier"), by=())
    old = outcomes["old"]
    assert isinstance(old, ScoreOutcome)
    expected = np.average((old.probability - old.actual) ** 2, weights=weight)
    assert found.first == pytest.approx(expected)


def test_predictions_change_row_by_row() -> None:
    actual = np.array([1.0, 1.0, 1.0])
    change = change_of_predictions(
        forecast(actual, np.array([100.0, 0.0, 10.0])),
        forecast(actual, np.array([110.0, 0.0, -10.0])),
    )
    np.testing.assert_allclose(change, [10 / 105, 0.0, 2.0])
    ones = np.ones(2)
    change = change_of_predictions(
        ScoreOutcome(actual=ones, probability=np.array([0.2, 0.5]), weight=ones),
        ScoreOutcome(actual=ones, probability=np.array([0.3, 0.5]), weight=ones),
    )
    np.testing.assert_allclose(change, [0.1, 0.0])
    change = change_of_predictions(
        ranked([[1, 2], [3, -1], [-1, -1], [1, 2]]), ranked([[2, 1], [4, 5], [-1, -1], [1, 3]])
    )
    np.testing.assert_allclose(change, [0.0, 1.0, 0.0, 0.5])


@given(st.integers(0, 2**32 - 1))
def test_lists_change_by_the_items_that_one_of_them_lacks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = (
        [[*rng.permutation(9)[:length], *[-1] * (5 - length)] for length in rng.integers(0, 6, 7)]
        for _ in range(2)
    )
    expected = []
    for first, second in zip(one, two, strict=True):
        mine, yours = set(first) - {-1}, set(second) - {-1}
        longest = max(len(mine), len(yours))
        expected.append(1.0 - len(mine & yours) / longest if longest else 0.0)
    assert change_of_predictions(ranked(one), ranked(two)).tolist() == expected


def ranked(items: list[list[int]]) -> RankOutcome:
    listed = np.array(items, np.int32)
    none = np.array([], np.int32)
    return RankOutcome(
        ranking=Ranking(items=listed, scores=np.ones(listed.shape, np.float32)),
        chosen_entity=none, chosen_item=none, popularity=np.ones(6) / 6,
    )  # fmt: skip


def test_the_kpi_says_its_own_direction() -> None:
    upside_down = changed(Kpi(metric="mae"), direction="higher")
    [found] = compare(forecasts(0.5), "old", "new", [FORECAST["mae"]], upside_down, by=())
    assert found.verdict == "worse"
