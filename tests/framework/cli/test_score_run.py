"""Scores end to end, through the plugin manager, the configuration and the command's own code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    ConfigurationError,
    ScoreOutcome,
)
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.loaded import load_version
from loopcast.plugins import PluginManager
from loopcast.serve.published import published, served_folder
from loopcast.store.home import Home

from ..examples import (
    applications,
)


def test_the_first_run_trains_and_scores(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = applications(400, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    summary = run()
    [trained] = summary["training"]["segments"]
    assert trained["status"] == "better"
    assert trained["kpi"] > 0.7
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert list(scores["application"]) == list(table["id"])
    assert scores["probability"].between(0, 1).all()
    champion = home.catalog.champion("credit")
    assert champion is not None
    assert set(scores["version"]) == {champion.id} == {trained["version"]}
    served = published(served_folder(home.folder, "credit"))
    assert served.read("scores.parquet") == (tmp_path / "run" / "scores.parquet").read_bytes()
    events = home.events.read("credit")
    assert events.num_rows == 400
    [latency] = set(events["latency_ms"].to_pylist())
    assert 0.0 < latency < 100.0, "of the batch over its rows"
    first = events.slice(0, 1).to_pylist()[0]
    assert first["key"] in set(table["id"])
    assert dict(first["inputs"]).keys() == {"income", "debt"}
    loaded = load_version(home, plugins, champion)
    model = loaded.model.predict(table.set_index("id")[["income", "debt"]])
    np.testing.assert_array_equal(model.probability, scores["probability"])


def test_a_score_is_calibrated_before_it_is_judged_released_and_asked(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    applications(2000, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    kept = {}
    for method in ("none", "auto"):
        [trained] = run("job=train", f"calibration={method}")["training"]["segments"]
        assert trained["version"] not in kept
        loaded = load_version(home, plugins, home.catalog.version(trained["version"]))
        kept[trained["version"]] = loaded
        assert ("calibration.json" in loaded.bundle.files) == (method == "auto")
    outcomes: list[Any] = [v.judged().outcomes["logistic"] for v in kept.values()]
    plain, calibrated = (outcome.probability for outcome in outcomes)
    np.testing.assert_array_equal(np.argsort(plain), np.argsort(calibrated))
    assert np.abs(plain - calibrated).max() > 1e-3
    said = [v.bundle.files["documentation.md"].decode() for v in kept.values()]
    assert "Calibration" not in said[0]
    assert re.search(
        r"- Calibration: beta, from [\d,]+ predictions out of fold, chosen by log loss on rows "
        r"that no map had seen: beta 0\.\d{4}, isotonic 0\.\d{4}\n",
        said[1],
    )


DELINQUENCY = """\
name: loans
reader: delinquency
options:
  {applications: loans.csv, payments: payments.csv, key: id, opened: at, date: month,
   overdue: dpd, target: outcome}
table: {task: score, columns: {application: id}}
"""


def test_an_outcome_from_payments_is_part_of_the_datasets_record(
    tmp_path: Path, run: Any, home: Home
) -> None:
    loans = applications(800, seed=1)
    days = np.where(loans.pop("outcome") == "bad", 95, 10)
    paid = (pd.to_datetime(loans["at"]) + pd.Timedelta(days=100)).astype(str)
    payments = pd.DataFrame({"id": loans["id"], "month": paid, "dpd": days})
    last = pd.DataFrame({"id": [loans["id"].iloc[0]], "month": ["2025-07-01"], "dpd": [0]})
    loans.to_csv(tmp_path / "loans.csv", index=False)
    pd.concat([payments, last]).to_csv(tmp_path / "payments.csv", index=False)
    (tmp_path / "conf" / "data" / "loans.yaml").write_text(DELINQUENCY)
    [trained] = run("data=loans", "job=train", "logical_model.schema.event=1")["training"][
        "segments"
    ]
    version = home.catalog.version(trained["version"])
    training, judged = read_bundle(home.artifacts, version.manifest).manifest.datasets
    said = "outcome: 90 or more days past due within 12 months, by payments.csv"
    assert training.origin == f"loans.csv with {said}"
    assert training.rows == 800
    assert judged.rows < 800 / 4  # loans of the second half-year are too young to be good


def test_decision_sets_are_answered_logged_and_judged(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    applications(2000, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    [trained] = run("+logical_model.decision.sets.confidence=0.8")["training"]["segments"]
    answers = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert set(answers["decision_set"]) <= {"event", "no event", "both"}
    assert answers.groupby("decision_set")["probability"].mean()["event"] > 0.5
    events = home.events.read("credit").to_pylist()
    logged = {event["key"]: dict(event["output_texts"])["decision_set"] for event in events}
    assert logged == dict(zip(answers["application"], answers["decision_set"], strict=True))
    [evaluation] = home.catalog.evaluations(trained["version"])
    assert evaluation.value("set_coverage") == pytest.approx(0.8, abs=0.06)
    assert evaluation.value("set_coverage", "sex=f") is not None
    loaded = load_version(home, plugins, home.catalog.version(trained["version"]))
    assert "decision_sets.json" in loaded.bundle.files


def test_a_calibration_by_what_the_score_does_not_see_is_refused(run: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"calibration\.by 'sex' is no category that"):
        run("calibration.by=sex")


def test_decisions_are_made_logged_and_paid_for(tmp_path: Path, run: Any, home: Home) -> None:
    table = applications(600, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    money = "{granted_event: -1000.0, granted_other: 400.0, unit: EUR}"
    summary = run(
        f"+logical_model.decision.profits={money}", "+logical_model.decision.accept_at_random=0.1"
    )
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet").set_index("application")
    granted = scores["probability"] < 400 / 1400
    np.testing.assert_array_equal(scores["decision"] == "granted", granted)
    assert set(scores["decision"][~granted]) == {"refused", "granted at random"}
    assert (scores["chance"] == np.where(granted, 1.0, 0.1)).all()
    counts = scores["decision"].value_counts().to_dict()
    assert summary["predictions"]["decisions"] == counts
    lot = summary["predictions"]["random_acceptance"]
    chosen = scores["probability"][scores["decision"] == "granted at random"]
    assert lot["granted"] == len(chosen)
    assert lot["expected_cost"] == pytest.approx((1000 * chosen - 400 * (1 - chosen)).sum())
    events = home.events.read("credit").to_pandas().set_index("key").loc[scores.index]
    expected = np.where(scores["decision"] == "refused", 0.0, scores["chance"])
    np.testing.assert_array_equal(events["labelling"], expected)
    logged = [dict(texts)["decision"] for texts in events["output_texts"]]
    assert logged == scores["decision"].to_list()


def test_what_was_granted_at_random_teaches_the_next_version(tmp_path: Path, run: Any) -> None:
    """The table of answers becomes training data: outcomes of the granted, by their chance."""
    table = applications(3000, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    rules = ("+logical_model.decision.cutoff=0.3", "+logical_model.decision.accept_at_random=0.1")
    run(*rules)
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet").set_index("application")
    seen = table.join(scores[["decision", "chance"]], on="id")
    granted = seen["decision"] != "refused"
    seen.assign(granted=granted, outcome=seen["outcome"].where(granted)).to_csv(
        tmp_path / "applications.csv", index=False
    )
    names = ("+logical_model.schema.accepted=granted", "+logical_model.schema.chance=chance")
    [segment] = run(*rules, *names, "job=train")["training"]["segments"]
    assert segment["kpi"] == pytest.approx(0.78, abs=0.08)


def test_a_bundle_holds_all_that_a_version_needs(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    champion = home.catalog.champion("credit")
    assert champion is not None
    loaded = load_version(home, plugins, champion)
    assert {
        "documentation.md", "evaluation.json", "judged.npz", "model/columns.json",
        "model/model.npz", "scenarios/rows.npz", "schema.json", "settings.json",
    } <= set(loaded.bundle.files)  # fmt: skip
    assert loaded.bounds["debt"]["missing"] == pytest.approx(0.1, abs=0.05)
    assert loaded.schema == home.catalog.logical_model("credit").schema
    training, test = loaded.manifest.datasets
    assert (training.rows, test.name) == (400, "applications_held_out")
    judged = loaded.judged()
    outcome = judged.outcomes["logistic"]
    assert isinstance(outcome, ScoreOutcome)
    assert len(outcome.actual) == test.rows
    [evaluation] = home.catalog.evaluations(champion.id)
    assert evaluation.dataset == test.fingerprint
    assert evaluation.value("auc", "sex=f") is not None
    assert evaluation.value("brier") == pytest.approx(
        np.mean((outcome.probability - outcome.actual) ** 2)
    )


def test_a_second_run_scores_without_training_and_without_outcomes(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = applications(400, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    new = applications(50, seed=2).drop(columns=["outcome", "sex", "at"])
    new.to_csv(tmp_path / "applications.csv", index=False)
    summary = run()
    assert "training" not in summary
    assert summary["predictions"]["rows"] == 50
    assert home.catalog.count() == 1
