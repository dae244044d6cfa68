"""Requests beyond what a version was trained on, through runs of all three tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ACTIONS, ConfigurationError, Treatment
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.rank_bundle import read_scenario
from loopcast.deploy.validation import subject_of
from loopcast.monitor.performance import labelled_events
from loopcast.plugins import PluginManager
from loopcast.serve.published import published, served_folder
from loopcast.serve.treatment import WORK_LIST
from loopcast.settings import SettingError
from loopcast.store.home import Home
from loopcast.store.truth import join
from loopcast.validate.cases import Stability, check_stability

from ..examples import applications, meters, sales

RULES = "+logical_model.applicability"


def strange_applications() -> pd.DataFrame:
    """Fifty applications; the first has a salary that nobody had."""
    table = applications(50, seed=2).drop(columns=["outcome", "sex", "at"])
    table.loc[0, "income"] = 20_000.0
    return table


@pytest.fixture
def trained(tmp_path: Path, run: Any) -> Any:
    """A function that trains on applications, and leaves strange ones to score."""

    def go(*overrides: str) -> None:
        applications(800, seed=1).to_csv(tmp_path / "applications.csv", index=False)
        run("job=train", *overrides)
        strange_applications().to_csv(tmp_path / "applications.csv", index=False)

    return go


def scores(tmp_path: Path) -> Any:
    return pd.read_parquet(tmp_path / "run" / "scores.parquet")


def test_a_strange_row_is_answered_and_flagged_with_its_reason(
    tmp_path: Path, run: Any, trained: Any, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    trained()
    summary = run()["predictions"]
    table = scores(tmp_path)
    first = table.iloc[0]
    assert first["action"] == "flagged"
    assert first["reason"].startswith("income above ")
    assert np.isfinite(table["probability"]).all()
    assert table["reason"].isna().sum() == summary["actions"]["served"]
    assert summary["actions"]["flagged"] == (table["action"] == "flagged").sum()
    assert "rows are unlike the training: " in capsys.readouterr().out
    events = home.events.read("credit")
    logged = dict(zip(events["key"].to_pylist(), events["action"].to_pylist(), strict=True))
    assert logged == dict(zip(table["application"], table["action"], strict=True))


@pytest.mark.parametrize("rule", ["refuse", "person"])
def test_a_strange_row_gets_no_score_and_is_none_in_performance(
    tmp_path: Path, run: Any, trained: Any, home: Home, rule: Treatment
) -> None:
    action = ACTIONS[rule]
    trained()
    run(f"{RULES}.outside={rule}", f"{RULES}.novelty=ignore")
    table = scores(tmp_path)
    outside = table["action"] == action
    assert outside[0]
    assert table.loc[outside, "probability"].isna().all()
    assert np.isfinite(table.loc[~outside, "probability"]).all()
    assert set(table["action"]) == {"served", action}
    listed = tmp_path / "run" / WORK_LIST
    served = published(served_folder(home.folder, "credit"))
    if action == "person":
        pd.testing.assert_frame_equal(
            pd.read_parquet(listed), table[outside].reset_index(drop=True)
        )
        assert WORK_LIST in served.batch.files
    else:
        assert not listed.exists()
        assert WORK_LIST not in served.batch.files
    events = home.events.read("credit")
    model = home.catalog.logical_model("credit")
    labelled = labelled_events(join(events, home.truth.latest("credit")), model)
    assert labelled.coverage.predictions == (~outside).sum()


def test_the_fallback_template_answers_for_strange_rows(
    tmp_path: Path, run: Any, trained: Any
) -> None:
    fallback = ("+fallback.name=example.logistic", "+fallback.hyperparameters.ridge=1e6")
    rules = (f"{RULES}.outside=fallback", f"{RULES}.novelty=ignore")
    trained(*rules, *fallback)
    run(*rules, *fallback)
    table = scores(tmp_path)
    handed_on = table["action"] == "fallback"
    assert handed_on[0]
    # With such a ridge there is nothing but the intercept: the share of the event.
    assert table.loc[handed_on, "probability"].nunique() == 1
    assert 0.2 < table.loc[0, "probability"] < 0.6
    assert table.loc[~handed_on, "probability"].nunique() > 30


def test_where_no_template_falls_back_callers_do_what_the_logical_model_says(
    tmp_path: Path, run: Any, trained: Any
) -> None:
    rules = (f"{RULES}.outside=fallback", "+logical_model.fallback='ask a person'")
    trained(*rules)
    run(*rules)
    first = scores(tmp_path).iloc[0]
    assert first["action"] == "fallback"
    assert np.isnan(first["probability"])
    with pytest.raises((SettingError, ConfigurationError), match="nothing to fall back on"):
        run(f"{RULES}.outside=fallback")


def test_a_changed_share_counts_at_once(tmp_path: Path, run: Any, trained: Any) -> None:
    trained()
    counts = {
        share: run(f"{RULES}.share={share}")["predictions"]["actions"].get("flagged", 0)
        for share in (0.005, 0.5)
    }
    assert counts[0.5] > 10 > counts[0.005]


def test_customers_that_training_never_saw_get_what_the_rules_say(
    tmp_path: Path, run: Any, home: Home
) -> None:
    sales(900, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    fallback = ("+fallback.name=example.popularity", "+fallback.hyperparameters.smoothing=1e9")
    rules = (f"{RULES}.outside=fallback", f"{RULES}.novelty=ignore", *fallback)
    run("logical_model=shop", "job=train", *rules)
    new = pd.concat([sales(900, seed=1), sales(3, seed=5).assign(customer="stranger")])
    new.to_csv(tmp_path / "sales.csv", index=False)
    run("logical_model=shop", *rules)
    lists: Any = pd.read_parquet(tmp_path / "run" / "rankings.parquet").set_index("customer")
    own = lists.loc["stranger"]
    assert set(own["action"]) == {"fallback"}
    assert own["reason"].str.startswith("customer never seen in training").all()
    assert np.ptp(own["score"]) < 1e-5  # so smooth that all items are alike
    assert set(lists.drop("stranger")["action"]) == {"served"}

    run("logical_model=shop", f"{RULES}.outside=person", f"{RULES}.novelty=ignore")
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet").set_index("customer")
    stranger = lists.loc["stranger"]
    assert (stranger["action"], stranger["place"]) == ("person", 0)
    assert pd.isna(stranger["product"])
    assert (lists.drop("stranger")["place"] > 0).all()
    waiting = pd.read_parquet(tmp_path / "run" / WORK_LIST)
    assert list(waiting["customer"]) == ["stranger"]
    events = {e["key"]: e for e in home.events.read("shop").to_pylist() if e["action"] == "person"}
    assert list(events) == ["stranger"]
    assert dict(events["stranger"]["output_texts"])["items"] is None


def test_a_last_day_like_none_in_training_is_forecast_as_the_rules_say(
    tmp_path: Path, run: Any, home: Home
) -> None:
    one = ("logical_model=meters", "data.table.segment=null", f"{RULES}.novelty=ignore")
    table = meters(1)
    table.to_csv(tmp_path / "meters.csv", index=False)
    run(*one, "job=train")
    after = pd.date_range("2024-02-10", periods=24, freq="1h", tz="Europe/Paris")
    surge = pd.DataFrame(
        {"at": after.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"), "load": 60.0, "tenant": "t0"}
    )
    pd.concat([table, surge]).to_csv(tmp_path / "meters.csv", index=False)
    summary = run(*one, "job=serve", f"{RULES}.outside=flag")
    forecast = pd.read_parquet(tmp_path / "run" / "forecast.parquet")
    assert summary["actions"] == {"flagged": 24}
    assert set(forecast["reason"]) == {"the last day is above all actuals of the training"}
    assert np.isfinite(forecast["mean"]).all()
    run(*one, "job=serve", f"{RULES}.outside=refuse")
    forecast = pd.read_parquet(tmp_path / "run" / "forecast.parquet")
    assert forecast[["mean", "0.05", "0.95", "total"]].isna().all(axis=None)
    assert set(home.events.read("meters")["action"].to_pylist()) == {"served", "flagged", "refused"}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "24 of 24 rows are unlike the training: 24 refused" in page


def test_features_of_entities_have_a_domain_and_are_part_of_the_scenario(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = sales(900, seed=1)
    age = table["customer"].str.removeprefix("c").astype(int) + 20
    table.assign(age=age).to_csv(tmp_path / "sales.csv", index=False)
    feature = ("logical_model=shop", "+logical_model.schema.entity_features.age.kind=numeric")
    run(*feature, "job=train")
    champion = home.catalog.champion("shop")
    assert champion is not None
    files = read_bundle(home.artifacts, champion.manifest).files
    features = read_scenario(files)[0].entity_features
    assert features is not None
    assert set(features["age"]) <= set(age)
    subject = subject_of(home, plugins, champion)
    [found] = check_stability(subject, Stability())
    assert found.measured == "by 0"  # popularity does not look at ages, and was asked
    table.assign(age=age.where(age != 20, 99)).to_csv(tmp_path / "sales.csv", index=False)
    run(*feature)
    lists: Any = pd.read_parquet(tmp_path / "run" / "rankings.parquet").set_index("customer")
    assert lists.loc["c0", "reason"].str.startswith("age above the most in training (59)").all()
