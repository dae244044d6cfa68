from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import Metric, MetricDefinition, ScoreOutcome
from loopcast.develop.metrics import measure
from loopcast.develop.score.metrics import (
    auc,
    brier,
    calibration_error,
    gini,
    kolmogorov_smirnov,
    lift,
    log_loss,
    loopcast_metrics,
)


def outcome_of(rows: list[tuple[bool, int, int]]) -> ScoreOutcome:
    actual, probability, weight = np.array(rows, dtype=np.float64).T
    return ScoreOutcome(actual=actual, probability=probability / 10.0, weight=weight)


def drawn(seed: int, rows: int, *, weighted: bool = True) -> ScoreOutcome:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.random(rows), 2)
    return ScoreOutcome(
        actual=(rng.random(rows) < probability).astype(np.float64),
        probability=probability,
        weight=rng.integers(1, 5, rows).astype(np.float64) if weighted else np.ones(rows),
    )


def measured(outcome: ScoreOutcome, subsets: dict[str, NDArray[np.intp]]) -> list[Metric]:
    return [m for metric in loopcast_metrics() for m in measure(outcome, metric, subsets)]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 10), st.integers(1, 4)), min_size=1, max_size=30
    )
)
def test_auc_and_ks_count_pairs(rows: list[tuple[bool, int, int]]) -> None:
    found = outcome_of(rows)
    events = [(p, w) for y, p, w in rows if y]
    others = [(p, w) for y, p, w in rows if not y]
    if not events or not others:
        assert np.isnan(auc(found))
        assert np.isnan(kolmogorov_smirnov(found))
        return
    pairs = sum(v * w * ((p > q) + 0.5 * (p == q)) for p, v in events for q, w in others)
    total = sum(v for _, v in events) * sum(w for _, w in others)
    assert auc(found) == pytest.approx(pairs / total)
    assert gini(found) == pytest.approx(2 * pairs / total - 1)

    def share(side: list[tuple[int, int]], until: int) -> float:
        return sum(w for p, w in side if p <= until) / sum(w for _, w in side)

    distance = max(abs(share(events, p) - share(others, p)) for _, p, _ in rows)
    assert kolmogorov_smirnov(found) == pytest.approx(distance)


def test_lift_is_how_many_more_events_the_first_tenth_has() -> None:
    found = drawn(0, 400, weighted=False)
    first = np.argsort(-found.probability + 1e-6 * np.arange(400))[:40]
    tied = np.isclose(found.probability, found.probability[first[-1]])
    surely = found.probability > found.probability[first[-1]]
    part = (40 - surely.sum()) * found.actual[tied].mean()
    expected = (found.actual[surely].sum() + part) / 40 / found.actual.mean()
    assert lift(found) == pytest.approx(expected)
    doubled = ScoreOutcome(
        actual=found.actual, probability=found.probability, weight=np.full(400, 2.0)
    )
    assert lift(doubled) == pytest.approx(lift(found))
    constant = ScoreOutcome(actual=found.actual, probability=np.full(400, 0.2), weight=np.ones(400))
    assert lift(constant) == pytest.approx(1.0)
    never = ScoreOutcome(actual=np.zeros(3), probability=np.ones(3), weight=np.ones(3))
    assert np.isnan(lift(never))


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    found = drawn(seed, 500)
    inside = ScoreOutcome(
        actual=found.actual, probability=found.probability.clip(0.01, 0.99), weight=found.weight
    )
    arguments = (inside.actual, inside.probability)
    weights = {"sample_weight": inside.weight}
    assert auc(inside) == pytest.approx(sklearn_metrics.roc_auc_score(*arguments, **weights))
    rising, falling, _ = sklearn_metrics.roc_curve(*arguments, drop_intermediate=False, **weights)
    assert kolmogorov_smirnov(inside) == pytest.approx(np.abs(rising - falling).max())
    values = {m.name: m.value for m in measured(inside, {"": np.arange(500)})}
    assert values["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(*arguments, **weights))
    assert values["log_loss"] == pytest.approx(sklearn_metrics.log_loss(*arguments, **weights))


def test_the_calibration_error_is_the_distance_by_bin() -> None:
    found = drawn(3, 400)
    expected = 0.0
    for low in np.arange(10) / 10:
        last = low == 0.9
        inside = (found.probability * 10 >= low * 10) & (
            (found.probability * 10 < low * 10 + 1) | last
        )
        weight = found.weight[inside]
        if len(weight):
            gap = np.average(found.probability[inside] - found.actual[inside], weights=weight)
            expected += weight.sum() / found.weight.sum() * abs(gap)
    assert calibration_error(found) == pytest.approx(expected)


def test_a_certain_and_wrong_probability_has_a_finite_loss() -> None:
    found = ScoreOutcome(
        actual=np.array([1.0, 0.0]), probability=np.array([0.0, 0.0]), weight=np.ones(2)
    )
    assert log_loss(found).tolist() == pytest.approx([-np.log(1e-15), 0.0])
    assert brier(found).tolist() == [1.0, 0.0]


def test_each_subset_is_measured_alone() -> None:
    found = drawn(5, 300)
    first = np.arange(100)
    subsets = {"": np.arange(300), "half=first": first, "half=none": first[:0]}
    by_key = {(m.name, m.subset): m for m in measured(found, subsets)}
    alone = ScoreOutcome(
        actual=found.actual[first], probability=found.probability[first], weight=found.weight[first]
    )
    assert by_key["auc", "half=first"].value == pytest.approx(auc(alone))
    assert by_key["brier", "half=first"].value == pytest.approx(
        np.average(brier(alone), weights=alone.weight)
    )
    assert by_key["ks", "half=first"].count == 100
    assert {m.value for (_, subset), m in by_key.items() if subset == "half=none"} == {None}


def test_a_metric_has_rows_or_a_whole() -> None:
    with pytest.raises(ValueError, match="metric both: give one of rows, whole and bind"):
        MetricDefinition(
            name="both", title="", task="score", direction="lower", rows=brier, whole=auc
        )
