"""The job ``retrain`` where only what is better becomes a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.api import Attempt
from loopcast.iterate.retrain.journal import Journal, Round
from loopcast.store.home import Home, open_home
from loopcast.validate.performance import Variation

from ..examples import applications, meters, sales

FIRST, LATER, MUCH_LATER = ("job.at=2025-01-10", "job.at=2025-06-01", "job.at=2025-12-01")
BETTER = "retrain.keep=better"
WIDE = ("checks.shift_ks=null", "checks.shift_psi=null")


def flipped(rows: int, seed: int) -> pd.DataFrame:
    """Applications whose risk falls with debt, where it rose before."""
    table = applications(rows, seed)
    table["debt"] = 18_000 - table["debt"]
    return table


@pytest.fixture
def retrain(tmp_path: Path, run: Any) -> Any:
    """A function that retrains on a table and returns the result of its only segment."""
    path = tmp_path / "applications.csv"
    applications(600, seed=1).to_csv(path, index=False)
    run("job=train", FIRST)

    def go(table: pd.DataFrame, *overrides: str) -> dict[str, Any]:
        table.to_csv(path, index=False)
        [segment] = run("job=retrain", *overrides)["retraining"]["segments"]
        return dict(segment)

    return go


@pytest.fixture
def home(loopcast_home: Path) -> Home:
    return open_home(loopcast_home)


def attempt_of(home: Home, name: str = "credit", segment: str = "") -> Attempt:
    return home.catalog.attempts(name)[segment]


def test_what_is_not_better_makes_no_version_and_is_remembered(
    retrain: Any, home: Home, tmp_path: Path
) -> None:
    stored = sorted((home.folder / "artifacts").rglob("*"))
    champion = home.catalog.champion("credit")
    assert champion is not None
    segment = retrain(applications(1_000, seed=2), LATER, BETTER)
    assert (segment["result"], segment["version"]) == ("not better", None)
    assert home.catalog.count() == 1
    assert sorted((home.folder / "artifacts").rglob("*")) == stored
    found = attempt_of(home)
    assert (found.champion, found.reason) == (champion.id, segment["reason"])
    assert (found.kpi, found.champion_kpi) == (segment["kpi"], segment["champion_kpi"])
    assert f"of champion {champion.id}: undecided" in found.reason
    page = (tmp_path / "run" / "retraining.html").read_text()
    assert "1 was trained and is not better" in page


def test_it_says_what_a_version_would_have_said(retrain: Any, home: Home) -> None:
    table = applications(1_000, seed=2)
    tried = retrain(table, LATER, BETTER)
    made = retrain(table, MUCH_LATER, "retrain.keep=all")
    assert made["version"] is not None
    for name in ("result", "kpi", "champion_kpi", "reason", "better"):
        assert tried[name] == made[name]
    found, version = attempt_of(home), home.catalog.version(made["version"])
    [evaluation] = home.catalog.evaluations(version.id)
    assert (found.recipe, found.dataset) == (version.recipe, version.dataset)
    assert found.protocol == evaluation.protocol


def test_it_counts_as_a_training(retrain: Any) -> None:
    table = applications(1_000, seed=2)
    retrain(table, LATER, BETTER)
    for keep in (BETTER, "retrain.keep=all"):
        segment = retrain(table, "job.at=2025-06-02", keep)
        assert segment["why"] == "trained on 2025-06-01; the next training is from 2025-06-08 on"


def test_the_same_is_not_tried_again_until_something_is_new(retrain: Any, home: Home) -> None:
    table = applications(1_000, seed=2)
    first = retrain(table, LATER, BETTER)
    champion = home.catalog.champion("credit")
    assert champion is not None
    again = retrain(table, MUCH_LATER, BETTER)
    assert (again["result"], again["version"]) == ("kept", champion.id)
    assert again["reason"] == f"tried on 2025-06-01 on the same data, not kept: {first['reason']}"
    other = retrain(applications(1_100, seed=2), MUCH_LATER, BETTER)  # other data
    assert other["result"] == "not better"
    made = retrain(table, "job.at=2026-04-01", "retrain.keep=all")
    home.catalog.release("credit", "", made["version"], stage="champion", by="ann", reason="new")
    retrain(applications(900, seed=4), "job.at=2026-08-01", BETTER)
    home.catalog.release("credit", "", champion.id, stage="champion", by="ann", reason="old")
    beside = retrain(applications(900, seed=4), "job.at=2027-01-01", BETTER)  # another champion
    assert champion.id in beside["reason"]
    assert beside["result"] == "not better"


def test_a_round_that_was_killed_at_its_end_stops_no_later_one(
    retrain: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(journal: Journal, begun: Round) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(applications(1_000, seed=2), LATER, BETTER)
    tried = attempt_of(home)
    told = retrain(applications(1_000, seed=2), "job.at=2025-06-01T06:00Z", BETTER)
    assert (told["result"], told["reason"]) == ("not better", tried.reason)
    assert attempt_of(home) == tried
    later = retrain(applications(1_100, seed=2), MUCH_LATER, BETTER)
    assert later["why"] == "trained 183 days ago; the schedule says every 90"
    assert attempt_of(home) != tried


def test_what_is_better_or_needs_a_person_is_the_version_that_it_always_was(
    retrain: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = flipped(1_500, seed=2)
    segment = retrain(table, LATER, BETTER, *WIDE)
    assert (segment["result"], segment["better"]) == ("proposed", True)
    assert "a person has to decide" in segment["reason"]
    monkeypatch.setattr("loopcast.iterate.verdict.LIMITS", Variation(median=1.0, p95=1.0))
    segment = retrain(table, MUCH_LATER, BETTER, *WIDE, "seed=5")
    assert (segment["result"], segment["stage"]) == ("released", "champion")
    assert segment["reason"].endswith(": better")
    assert not home.catalog.attempts("credit")


def test_a_champion_that_cannot_be_judged_leaves_the_decision_to_a_person(
    retrain: Any, home: Home
) -> None:
    table = applications(1_000, seed=2).drop(columns="debt")
    without = "~logical_model.schema.features.debt"
    segment = retrain(table, LATER, BETTER, without)
    assert segment["version"] is not None
    assert "could not be judged on the new data" in segment["reason"]
    assert not home.catalog.attempts("credit")


def test_what_a_gate_of_the_training_stops_is_held_back(retrain: Any, home: Home) -> None:
    table = applications(1_000, seed=2)
    hard = "+baselines={twin: {name: example.logistic}}"
    made = retrain(table, LATER, hard)
    segment = retrain(table, MUCH_LATER, hard, BETTER, "seed=1")
    assert (made["result"], segment["result"]) == ("held back", "held back")
    assert segment["reason"] == made["reason"]
    assert segment["version"] is None
    assert attempt_of(home).reason == segment["reason"]


def test_a_forecast_is_left_out_before_it_is_fitted(tmp_path: Path, run: Any, home: Home) -> None:
    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    few = ("backtest.origins=3", "backtest.calibration=3")
    one = ("logical_model=meters", "data.table.segment=null", *few)
    run("job=train", FIRST, "+data.table.until=2024-02-06", *one)
    [segment] = run("job=retrain", LATER, BETTER, *one)["retraining"]["segments"]
    assert (segment["result"], segment["version"]) == ("not better", None)
    assert attempt_of(home, "meters").champion_kpi == segment["champion_kpi"] is not None
    assert home.catalog.count() == 1


def test_a_ranking_is_tried_anew_on_what_came_after(tmp_path: Path, run: Any, home: Home) -> None:
    def night(rows: int, at: str) -> Any:
        after = sales(rows, seed=3)
        moved = pd.to_datetime(after["sold"]) + pd.Timedelta(days=366)
        later = after.assign(sold=moved.dt.strftime("%Y-%m-%d"))
        pd.concat([sales(1_500, seed=1), later]).to_csv(tmp_path / "sales.csv", index=False)
        return run("job=retrain", at, BETTER, "logical_model=shop")["retraining"]

    sales(1_500, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("job=train", FIRST, "logical_model=shop")
    one, two = night(300, "job.at=2026-01-10"), night(350, "job.at=2026-06-01")
    for told in (one, two):
        assert (told["counts"]["retrained"], told["counts"]["new versions"]) == (1, 0)
        assert told["counts"]["not better"] == 1
    assert attempt_of(home, "shop").reason == two["segments"][0]["reason"]
    assert one["segments"][0]["kpi"] != two["segments"][0]["kpi"]
    assert home.catalog.count() == 1
