from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError
from loopcast.develop.checks.completeness import completeness
from loopcast.develop.checks.inputs import Inputs, repeated_rows
from loopcast.develop.checks.leakage import leakage
from loopcast.develop.checks.results import CheckResult
from loopcast.develop.checks.run import check_data
from loopcast.develop.checks.shift import profile, read_profile, shift
from loopcast.settings import CheckSettings

LIMITS = CheckSettings()


def inputs(rows: int = 1000, seed: int = 0, **changes: Any) -> Inputs:
    """An event that an income tells something about, and a town nothing."""
    rng = np.random.default_rng(seed)
    income = rng.normal(3000, 800, rows)
    town = pd.Categorical(rng.choice(["a", "b", "c"], rows))
    event = (rng.random(rows) < 1 / (1 + np.exp(income / 800 - 3))).astype(float)
    values: dict[str, Any] = {
        "rows": rows,
        "columns": {"income": income, "town": town},
        "outcome": event,
        "kind": "event",
    }
    return Inputs(**(values | changes))


def failed(results: Any) -> dict[tuple[str, str], CheckResult]:
    return {(r.name, r.subject): r for r in results if not r.passed}


def test_ordinary_data_passes_and_leaves_a_report_and_a_profile() -> None:
    found = check_data(inputs(), LIMITS, "x.csv", None)
    files = found.files()
    assert files.keys() == {"checks.json", "profile.json"}
    assert found.gates == ()
    before = read_profile(files["profile.json"])
    again = check_data(inputs(seed=1), LIMITS, "x.csv", before)
    assert [gate.test for gate in again.gates] == ["shift_psi", "shift_ks"]
    assert again.files()["checks.json"] != files["checks.json"]
    assert check_data(inputs(), LIMITS, "x.csv", before).files() == files


def test_completeness() -> None:
    holes = np.where(np.arange(1000) < 900, np.nan, 1.0)
    columns = {"holes": holes, "town": pd.Categorical([None] * 1000, categories=["a"])}
    data = inputs(columns=columns, repeated=300, counts=np.array([900, *[5] * 20]))
    assert failed(completeness(data, LIMITS)).keys() == {
        ("missing", "holes"),
        ("missing", "town"),
        ("duplicates", ""),
        ("dominance", ""),
    }
    few = failed(completeness(inputs(rows=10), LIMITS))
    assert few.keys() == {("rows", "")}
    none = CheckSettings(rows=None, missing=None, duplicates=None, dominance=None)
    assert list(completeness(data, none)) == []
    three = inputs(counts=np.array([90, 5, 5]))
    assert not failed(completeness(three, LIMITS))


def leaks(**columns: Any) -> dict[tuple[str, str], CheckResult]:
    data = inputs()
    return failed(leakage(inputs(columns={**data.columns, **columns}), LIMITS))


def test_an_input_that_knows_the_outcome_is_found() -> None:
    data = inputs()
    assert data.outcome is not None
    event, rng = data.outcome, np.random.default_rng(3)
    assert not leaks()
    assert leaks(copy=1000 - event).keys() == {("leakage", "copy")}
    assert leaks(noisy=event + rng.normal(0, 0.01, 1000)).keys() == {("leakage", "noisy")}
    code = pd.Categorical(np.where(event == 1, "closed", "open"))
    assert leaks(code=code).keys() == {("leakage", "code")}
    after = np.where(event == 1, rng.normal(size=1000), np.nan)
    assert leaks(collected=after).keys() == {("leakage", "collected")}


def test_many_categories_of_one_row_each_are_no_leak() -> None:
    assert not leaks(name=pd.Categorical([f"n{row}" for row in range(1000)]))


def test_the_strength_is_the_gini_coefficient() -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    data = inputs()
    found = {r.subject: r.measured for r in leakage(data, LIMITS)}
    expected = abs(2 * sklearn_metrics.roc_auc_score(data.outcome, data.columns["income"]) - 1)
    assert found["income"] == pytest.approx(expected)


def test_a_forecast_leaks_by_a_straight_line() -> None:
    rng = np.random.default_rng(1)
    temperature = rng.normal(size=500)
    demand = temperature**2 + rng.normal(size=500)
    columns = {"temperature": temperature, "bill": demand * 0.3 + 7}
    data = Inputs(rows=500, columns=columns, outcome=demand)
    assert failed(leakage(data, LIMITS)).keys() == {("leakage", "bill")}
    r2 = {r.subject: r.measured for r in leakage(data, LIMITS)}
    assert r2["temperature"] == pytest.approx(np.corrcoef(temperature, demand)[0, 1] ** 2)


def test_another_unit_is_a_shift_and_another_sample_is_not() -> None:
    before = profile(inputs())
    assert not failed(shift(inputs(seed=2), before, LIMITS))
    base = inputs(seed=2)
    thousands = {**base.columns, "income": np.asarray(base.columns["income"]) / 1000}
    found = failed(shift(inputs(seed=2, columns=thousands), before, LIMITS))
    assert found.keys() == {("shift_psi", "income"), ("shift_ks", "income")}
    assert found["shift_ks", "income"].measured == pytest.approx(0.9, abs=0.02)
    towns = {**base.columns, "town": pd.Categorical(["z"] * 1000)}
    found = failed(shift(inputs(seed=2, columns=towns), before, LIMITS))
    assert found.keys() == {("shift_psi", "town")}


def test_outcomes_that_are_not_known_yet_are_no_shift() -> None:
    before = profile(inputs())
    outcome = inputs(seed=1).outcome
    assert outcome is not None
    unknown = np.where(np.arange(1000) % 5 > 0, np.nan, outcome)
    assert not failed(shift(inputs(seed=1, outcome=unknown), before, LIMITS))
    turned = failed(
        shift(inputs(seed=1, outcome=np.where(outcome == 1.0, 0.0, unknown)), before, LIMITS)
    )
    assert turned.keys() == {("shift_psi", "outcome")}


def test_the_index_is_the_sum_over_bins() -> None:
    edges = np.quantile(np.asarray(inputs().columns["income"]), np.arange(1, 10) / 10)
    old, new = (np.asarray(inputs(seed=s).columns["income"]) for s in (0, 5))
    new = new + 300
    p, q = (np.histogram(x, [-np.inf, *edges, np.inf])[0] / 1000 for x in (new, old))
    expected = float(((p - q) * np.log(p / q)).sum())
    data = inputs(columns={"income": new}, outcome=None)
    found = {r.name: r.measured for r in shift(data, profile(inputs()), LIMITS)}
    assert found["shift_psi"] == pytest.approx(expected, rel=0.05)


def test_a_small_segment_is_not_refused_for_being_small() -> None:
    refused = 0
    for seed in range(200):
        before = profile(inputs(rows=25, seed=seed))
        refused += bool(failed(shift(inputs(rows=25, seed=seed + 1000), before, LIMITS)))
    assert refused <= 6


def test_failing_data_says_all_that_is_wrong() -> None:
    data = inputs()
    assert data.outcome is not None
    wrong = inputs(columns={"leak": data.outcome, "none": np.full(1000, np.nan)})
    with pytest.raises(DataError) as caught:
        check_data(wrong, LIMITS, "x.csv", None)
    message = str(caught.value)
    assert message.startswith("x.csv: the data fails 2 of its checks, and nothing was trained")
    assert "missing of none is 1 (checks.missing: 0.8)" in message
    assert "leakage of leak is 1 (checks.leakage: 0.98)" in message


def test_rows_of_a_few_categories_may_repeat() -> None:
    rng = np.random.default_rng(0)
    few = pd.DataFrame({"a": rng.integers(0, 3, 500), "b": rng.integers(0, 3, 500)})
    assert repeated_rows(few) is None
    numbers = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})
    assert repeated_rows(numbers) == 0
    assert repeated_rows(pd.concat([numbers, numbers.head(100)])) == 100
