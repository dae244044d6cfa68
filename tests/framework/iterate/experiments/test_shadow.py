"""Shadows: the paired test on what both answered, for scores and forecasts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from msgspec.structs import replace
from scipy import stats

from loopcast.api import DataError, ForecastSchema, GateError, Kpi, RankSchema, Site
from loopcast.develop import metrics as forecast_metrics
from loopcast.iterate.experiments.evaluation import evaluate, result_of
from loopcast.iterate.experiments.shadow import pairs_of
from loopcast.store.events import event_table
from loopcast.store.home import Home

from .worlds import (
    BEGUN,
    METRICS,
    MODEL,
    RANK_METRICS,
    begin,
    evaluated,
    experiment,
    hear,
    home_with_arms,
)

COUNT = 800
NAMES = [f"a{number}" for number in range(COUNT)]
TIMES = pd.date_range(BEGUN, periods=COUNT, freq="15min")


def answer(
    home: Home,
    version: str,
    role: str,
    said: np.ndarray,
    names: list[str] = NAMES,
    **fields: Any,
) -> None:
    order = np.random.default_rng(7).permutation(len(names))
    home.events.append(
        event_table(
            key=pa.array(np.array(names)[order]), time=TIMES[: len(names)][order],
            logical_model="demand", segment="", version=version, role=role,
            action="withheld" if role == "shadow" else "served",
            outputs={"probability": said[order]}, **fields,
        )
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> tuple[Home, list[str], np.ndarray, np.ndarray]:
    """A shadow that is nearer to the truth, and what came true."""
    home, arms = home_with_arms(tmp_path / "home")
    begin(home, experiment(arms, kind="shadow", metric="brier", direction="lower",
                           minimum_effect=0.001, sample_size=600))  # fmt: skip
    random = np.random.default_rng(1)
    risk = random.random(COUNT)
    said = np.stack([0.5 + 0.3 * (risk - 0.5), 0.5 + 0.8 * (risk - 0.5)])
    for version, role, own in zip(arms, ("champion", "shadow"), said, strict=True):
        answer(home, version, role, own)
    return home, arms, said, (random.random(COUNT) < risk).astype(float)


World = tuple[Home, list[str], np.ndarray, np.ndarray]


def test_pairs_are_compared_by_a_paired_test(world: World) -> None:
    home, arms, said, happened = world
    hear(home, NAMES, happened)
    result = result_of(evaluated(home))
    one, two = (said[:, :600] - happened[:600]) ** 2
    expected = stats.ttest_rel(two, one)
    [contrast] = result.contrasts
    assert contrast.difference == pytest.approx((two - one).mean())
    assert contrast.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval(0.95)
    assert (contrast.low, contrast.high) == pytest.approx((interval.low, interval.high))
    assert (contrast.verdict, result.winner) == ("better", arms[1])
    assert [arm.value for arm in result.arms] == pytest.approx([one.mean(), two.mean()])
    assert {d.metric for d in result.others[arms[1]]} == METRICS.keys() - {"brier"}


def test_it_is_sealed_too(world: World) -> None:
    home, arms, _, happened = world
    hear(home, NAMES[:500], happened[:500])
    found = evaluated(home)
    assert found.progress.known == {arms[1]: 500}
    with pytest.raises(GateError, match="outcomes of 600 pairs are known: 500 are"):
        result_of(found)


def test_what_one_of_them_did_not_answer_is_no_pair(world: World) -> None:
    home, arms, _, happened = world
    answer(home, arms[0], "champion", np.full(5, 0.5), [f"alone {n}" for n in range(5)])
    other = home.events.read("demand").num_rows
    assert other == 2 * COUNT + 5
    hear(home, NAMES, happened)
    assert evaluated(home).progress.enrolled == {arms[1]: COUNT}


@pytest.mark.parametrize(("action", "more"), [("fallback", 0), ("person", 0), ("flagged", 1)])
def test_answers_that_were_handed_on_are_not_compared(
    tmp_path: Path, action: str, more: int
) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    begin(home, experiment(arms, kind="shadow", metric="brier", direction="lower"))
    for version, role in zip(arms, ("champion", "shadow"), strict=True):
        answer(home, version, role, np.full(COUNT, 0.5))
    events = home.events.read("demand")
    assert events.num_rows == 2 * COUNT
    home.events.append(
        event_table(
            key=["beyond"], time=BEGUN, logical_model="demand", segment="", version=arms[0],
            role="champion", action=action, outputs={"probability": [0.9]},
        )
    )  # fmt: skip
    home.events.append(
        event_table(
            key=["beyond"], time=BEGUN, logical_model="demand", segment="", version=arms[1],
            role="shadow", action="withheld", outputs={"probability": [0.1]},
        )
    )  # fmt: skip
    assert evaluated(home).progress.enrolled == {arms[1]: COUNT + more}


def test_sampled_pairs_count_by_their_chance(tmp_path: Path) -> None:
    home, arms = home_with_arms(tmp_path / "home")
    begin(
        home, experiment(arms, kind="shadow", metric="brier", direction="lower", sample_size=COUNT)
    )
    rare = np.arange(COUNT) % 4 == 0
    said = np.where(rare, 0.9, 0.5)
    answer(home, arms[0], "champion", np.full(COUNT, 0.5))
    order = np.random.default_rng(7).permutation(COUNT)
    answer(home, arms[1], "shadow", said, inclusion=np.where(rare, 0.25, 1.0)[order])
    hear(home, NAMES, np.zeros(COUNT))
    result = result_of(evaluated(home))
    gain = 0.81 - 0.25
    assert result.contrasts[0].difference == pytest.approx(gain * 4 / (4 + 3))
    assert result.winner is None


def test_an_outcome_alone_judges_no_shadow(world: World) -> None:
    home, arms, _, happened = world
    hear(home, NAMES, happened)
    found = evaluated(home)
    wrong = experiment(arms, kind="shadow", sample_size=600)
    object.__setattr__(found.trial, "experiment", wrong)
    with pytest.raises(DataError, match="judged by a metric of the task, not by 'outcome'"):
        result_of(found)


FORECAST = ForecastSchema(
    unit="MW", step="1h", timezone="UTC", sites={"x": Site(timezone="UTC")}, series={"x": "x"},
    resolutions=("1h", "1D"),
)  # fmt: skip


def test_forecasts_are_compared_by_origin(tmp_path: Path) -> None:
    """An event of no interval, which each origin has too, is in no pair."""
    model = replace(MODEL, schema=FORECAST, kpi=Kpi(metric="mae"))
    home, arms = home_with_arms(tmp_path / "home", model=model)
    begin(home, experiment(arms, kind="shadow", metric="mae", direction="lower",
                           minimum_effect=0.0, sample_size=30))  # fmt: skip
    random, losses = np.random.default_rng(0), []
    for day in range(40):
        made = BEGUN + timedelta(days=day)
        times = pd.date_range(made, periods=24, freq="1h")
        hours = [f"x|1h|{t:%Y-%m-%dT%H:%M:%SZ}" for t in times]
        actual, bias = random.normal(100, 10, 24), random.normal(0, 2)
        said = {0: actual + random.normal(bias, 3, 24), 1: actual + random.normal(bias, 2, 24)}
        losses.append([np.abs(own - actual).mean() for own in said.values()])
        for number, role in enumerate(("champion", "shadow")):
            keys = [f"x|1h|{t:%Y-%m-%dT%H:%M:%SZ}" for t in times] + [
                f"x|1D|{made:%Y-%m-%dT%H:%M:%SZ}", "order 7",
            ]  # fmt: skip
            home.events.append(
                event_table(
                    key=keys, time=made, logical_model="demand", segment="", version=arms[number],
                    role=role, outputs={"mean": [*said[number], said[number].sum(), 0.0]},
                )
            )  # fmt: skip
        hear(home, hours, actual)
    metrics = {m.name: m for m in forecast_metrics.loopcast_metrics()}
    trial = home.catalog.experiment("demand", "", "spring")
    found = evaluate(trial, home, metrics, BEGUN + timedelta(days=60))
    assert found.progress.known == {arms[1]: 40}
    [contrast] = result_of(found).contrasts
    one, two = np.array(losses[:30]).T
    assert contrast.difference == pytest.approx((two - one).mean())
    assert contrast.verdict == "better"
    assert contrast.high is not None
    assert contrast.high < 0.0


def test_forecasts_with_a_sum_are_compared_by_the_sum(tmp_path: Path) -> None:
    """Its outcome is that of its series, of which alone something is told."""
    schema = replace(FORECAST, series={"x": "x", "y": "x"},
                                     sites={"x": Site(timezone="UTC")},
                                     aggregates={"all": ("x", "y")})  # fmt: skip
    model = replace(MODEL, schema=schema, kpi=Kpi(metric="mae"))
    home, arms = home_with_arms(tmp_path / "home", model=model)
    begin(home, experiment(arms, kind="shadow", metric="mae", direction="lower",
                           minimum_effect=0.0, sample_size=1))  # fmt: skip
    stamp = f"{BEGUN:%Y-%m-%dT%H:%M:%SZ}"
    for number, role in enumerate(("champion", "shadow")):
        home.events.append(
            event_table(
                key=[f"{name}|1h|{stamp}" for name in ("x", "y", "all")], time=BEGUN,
                logical_model="demand", segment="", version=arms[number], role=role,
                outputs={"mean": [1.0, 2.0, 3.0]},
            )
        )  # fmt: skip
    hear(home, [f"{name}|1h|{stamp}" for name in "xy"], np.array([4.0, 6.0]))
    trial = home.catalog.experiment("demand", "", "spring")
    pairs = pairs_of(trial, model, home, BEGUN + timedelta(days=1))[arms[1]]
    assert pairs.champion["key"].to_pylist() == [f"all|1h|{stamp}"]
    assert pairs.champion["value"].to_pylist() == [10.0]


RANK = RankSchema(entity="customer", item="product", time="sold", length=3)


def test_lists_are_compared_by_what_was_chosen(tmp_path: Path) -> None:
    model = replace(MODEL, schema=RANK, kpi=Kpi(metric="recall", direction="higher"))
    home, arms = home_with_arms(tmp_path / "home", model=model)
    begin(home, experiment(arms, kind="shadow", metric="recall", sample_size=90))
    names = [f"c{number}" for number in range(100)]
    lists = {"champion": ["tea\npot\ncup"] * 100, "shadow": ["tea\noil\nmug"] * 50 + ["pot"] * 50}
    for version, (role, said) in zip(arms, lists.items(), strict=True):
        home.events.append(
            event_table(
                key=names, time=TIMES[:100], logical_model="demand", segment="", version=version,
                role=role, action="withheld" if role == "shadow" else "served",
                outputs={"items": said, "score": np.ones(100)},
            )
        )  # fmt: skip
    hear(home, names, ["tea\noil"] * 60 + ["cup"] * 40)
    trial = home.catalog.experiment("demand", "", "spring")
    result = result_of(evaluate(trial, home, RANK_METRICS, BEGUN + timedelta(days=60)))
    champion = np.repeat([0.5, 0.5, 1.0], [50, 10, 30])
    shadow = np.repeat([1.0, 0.0, 0.0], [50, 10, 30])
    [contrast] = result.contrasts
    assert contrast.difference == pytest.approx((shadow - champion).mean())
    assert contrast.p_value == pytest.approx(stats.ttest_rel(shadow, champion).pvalue, rel=1e-6)
    assert "item_coverage" not in {found.metric for found in result.others[arms[1]]}
