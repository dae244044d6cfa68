"""Scores end to end, through the plugin manager, the configuration and the command's own code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from loopcast.api import (
    ConfigurationError,
    DataError,
    NotFoundError,
    ScoreOutcome,
    SwitchError,
)
from loopcast.cli.feedback import feedback
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.loaded import load_version
from loopcast.deploy.rank_bundle import read_scenario
from loopcast.plugins import PluginManager
from loopcast.serve.lookup import LookUp, Suggestion
from loopcast.serve.published import published, served_folder
from loopcast.store.home import Home, open_home
from loopcast.store.truth import join

from ..examples import (
    applications,
    meters,
    sales,
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
    for method in ("none", "beta"):
        [trained] = run("job=train", f"calibration={method}")["training"]["segments"]
        assert trained["version"] not in kept
        loaded = load_version(home, plugins, home.catalog.version(trained["version"]))
        kept[trained["version"]] = loaded
        assert ("calibration.json" in loaded.bundle.files) == (method == "beta")
    outcomes: list[Any] = [v.judged().outcomes["logistic"] for v in kept.values()]
    plain, calibrated = (outcome.probability for outcome in outcomes)
    np.testing.assert_array_equal(np.argsort(plain), np.argsort(calibrated))
    assert np.abs(plain - calibrated).max() > 1e-3


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


REGIONS = ("north", "south", "young", "tiny")


def family() -> pd.DataFrame:
    """Four regions; one has no default yet, one has three rows, one name cannot be kept."""
    parts = {name: applications(200, seed=place) for place, name in enumerate(REGIONS)}
    parts["young"]["outcome"] = "good"
    parts["tiny"] = parts["tiny"].head(3)
    parts["?"] = applications(30, seed=9)
    return pd.concat([part.assign(region=name) for name, part in parts.items()])


FAMILY = ("data.table.segment=region", "job=train")


def test_a_broken_segment_stops_no_other(tmp_path: Path, run: Any, home: Home) -> None:
    family().sample(frac=1.0, random_state=1).to_csv(tmp_path / "applications.csv", index=False)
    found = run(*FAMILY)["training"]
    assert found["counts"] == {"better": 2, "not better": 0, "kept": 0, "frozen": 0, "failed": 3}
    reasons = {item["segment"]: item["reason"] for item in found["segments"]}
    assert "segment young: column 'outcome': no row has the event 'bad'" in reasons["young"]
    assert "rows is 3 (checks.rows: 20)" in reasons["tiny"]
    assert "cannot name a segment" in reasons["?"]
    assert set(home.catalog.champions("credit")) == {"north", "south"}
    scored = run("data.table.segment=region")["predictions"]
    assert (scored["answered"], scored["not_answered"]) == (2, 3)
    table = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert table.groupby("segment").size().to_dict() == {"north": 200, "south": 200}


def test_a_run_repeats_only_what_is_not_registered(tmp_path: Path, run: Any, home: Home) -> None:
    table = family()
    table.to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    mended = table[table["region"] != "tiny"]
    mended = pd.concat([mended, applications(200, seed=7).assign(region="tiny")])
    mended.to_csv(tmp_path / "applications.csv", index=False)
    found = run(*FAMILY)["training"]["counts"]
    assert (found["kept"], found["better"], found["failed"]) == (2, 1, 2)
    assert home.catalog.count() == 3


def test_a_segment_that_is_frozen_is_not_trained(tmp_path: Path, run: Any, home: Home) -> None:
    family().to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    home.catalog.set_switch("credit", ["south"], "freeze", by="ann", reason="audit")
    found = run(*FAMILY, "seed=5")["training"]
    status = {item["segment"]: item["status"] for item in found["segments"]}
    assert (status["south"], status["north"]) == ("frozen", "not better")


def test_batches_give_the_same_in_several_processes(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    family().to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    one = {s: v.id for s, v in home.catalog.newest("credit").items()}
    parts = family()
    parts.to_parquet(tmp_path / "applications.parquet")
    monkeypatch.setattr("loopcast.develop.source.BATCH", 1)
    monkeypatch.setenv("LOOPCAST_HOME", str(tmp_path / "other"))
    found = run(
        *FAMILY, "engine.workers=2", "data.reader=parquet", "data.options.path=applications.parquet"
    )
    assert found["training"]["counts"]["better"] == 2
    other = open_home(tmp_path / "other").catalog.newest("credit")
    models = {
        segment: msgspec.json.decode(open_home(tmp_path / "other").artifacts.get(v.manifest))
        for segment, v in other.items()
    }
    assert set(models) == set(one)
    for segment, manifest in models.items():
        first = home.catalog.version(one[segment])
        before = msgspec.json.decode(home.artifacts.get(first.manifest))
        for name in ("model/model.npz", "judged.npz", "scenarios/rows.npz"):
            assert manifest["files"][name] == before["files"][name]


def test_nothing_that_can_be_trained_is_an_error(tmp_path: Path, run: Any, home: Home) -> None:
    applications(200, seed=1).assign(outcome="good").to_csv(
        tmp_path / "applications.csv", index=False
    )
    with pytest.raises(DataError, match="no row has the event 'bad'"):
        run()
    assert home.catalog.count() == 0
    assert not (tmp_path / "run" / "summary.json").exists()


def test_what_may_only_serve_trains_nothing(tmp_path: Path, run: Any, home: Home) -> None:
    applications(200, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    with pytest.raises(NotFoundError, match="no logical model 'credit' in the catalog"):
        run("job=serve")
    assert home.catalog.count() == 0


SHOP = "logical_model=shop"


def test_rankings_go_the_same_way(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = sales(900, seed=1)
    table.to_csv(tmp_path / "sales.csv", index=False)
    summary = run(SHOP)
    [trained] = summary["training"]["segments"]
    assert trained["status"] == "better"
    assert 0 < trained["kpi"] < 1
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    assert list(lists.columns) == [
        "customer", "place", "product", "score", "version", "action", "reason", "segment",
    ]  # fmt: skip
    assert set(lists["customer"]) == set(table["customer"])
    bought = set(zip(table["customer"], table["product"], strict=True))
    assert not bought & set(zip(lists["customer"], lists["product"], strict=True))
    popular = table["product"].value_counts(normalize=True)
    first = lists[lists["place"] == 1].set_index("customer")
    for customer in list(first.index)[:5]:
        open_ = popular.drop([p for c, p in bought if c == customer])
        assert first.loc[customer, "score"] == pytest.approx(open_.max())
    events = home.events.read("shop").to_pylist()
    assert len(events) == table["customer"].nunique()
    texts = {event["key"]: dict(event["output_texts"])["items"] for event in events}
    by_customer = lists.groupby("customer")["product"].agg("\n".join)
    assert texts == by_customer.to_dict()
    champion = home.catalog.champion("shop")
    assert champion is not None
    loaded = load_version(home, plugins, champion)
    query, expected = read_scenario(loaded.bundle.files)
    again = loaded.model.predict(query)
    np.testing.assert_array_equal(again.items, expected.items)
    assert query.entities[-1] == -1
    assert loaded.judged().outcomes.keys() == {"popularity"}


def test_rankings_are_looked_up(tmp_path: Path, run: Any, home: Home) -> None:
    table = sales(900, seed=1)
    odd = pd.concat([table.assign(tenant="good"), table.assign(tenant="odd")])
    odd.loc[(odd["tenant"] == "odd") & (odd["product"] == "p1"), "product"] = "p\n1"
    odd.to_csv(tmp_path / "sales.csv", index=False)
    run(SHOP, "data.table.segment=tenant")
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    with LookUp(home, "shop") as look_up:
        for customer, own in lists.groupby("customer"):
            found = look_up.ask("good", str(customer))
            assert found.items == tuple(own["product"])
            assert found.scores == tuple(own["score"])
            assert (found.version,) == tuple(own["version"].unique())
        new = look_up.ask("good", "nobody")
        popular = table["product"].value_counts()
        assert not new.personal
        assert new.action == "flagged"
        assert new.reason.startswith("customer never seen in training")
        assert [popular[item] for item in new.items] == popular.tolist()[:5]
        with pytest.raises(NotFoundError, match=r"shop/odd has no lists: .* 'p\\n1' has a line"):
            look_up.ask("odd", "nobody")
        some = look_up.ask("good", "c1")
    assert home.events.read("shop").num_rows == table["customer"].nunique()
    _feed_back(tmp_path, home, some)


def _feed_back(tmp_path: Path, home: Home, some: Suggestion) -> None:
    """A click and a purchase find the event of the list by its id."""
    now = datetime.now(UTC).isoformat()
    rows = [
        {"id": some.id, "item": some.items[0], "kind": kind, "time": now, "value": value}
        for kind, value in (("shown", None), ("clicked", None), ("bought", 9.5))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "feedback.csv", index=False)
    at = ["-m", "shop", "--home", str(home.folder), "--json"]
    command = ["ingest", str(tmp_path / "feedback.csv"), "--outcome", "revenue", *at]
    done = CliRunner().invoke(feedback, command, catch_exceptions=False)
    assert json.loads(done.output)["ingestion"]["new"] == 1
    outcome = join(home.events.read("shop"), home.truth.latest("shop")).to_pandas()
    assert outcome.set_index("key")["value"].dropna().to_dict() == {"c1": 9.5}
    found = CliRunner().invoke(feedback, ["worth", *at], catch_exceptions=False)
    assert json.loads(found.output)["young"] == len(outcome)


def test_tenants_never_see_each_other(tmp_path: Path, run: Any, home: Home) -> None:
    tenants = []
    for number in range(6):
        table = sales(300, seed=number).assign(tenant=f"t{number}")
        table["product"] = f"t{number}_" + table["product"]
        table["customer"] = f"t{number}_" + table["customer"]
        tenants.append(table)
    tenants[3] = tenants[3].head(1)
    table = pd.concat(tenants).sample(frac=1.0, random_state=2)
    table.to_csv(tmp_path / "sales.csv", index=False)
    found = run(SHOP, "data.table.segment=tenant")
    assert found["training"]["counts"]["better"] == 5
    assert found["training"]["counts"]["failed"] == 1
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    assert set(lists["segment"]) == {"t0", "t1", "t2", "t4", "t5"}
    for column in ("product", "customer"):
        assert (lists[column].str.partition("_")[0] == lists["segment"]).all()
    for segment, version in home.catalog.champions("shop").items():
        files = read_bundle(home.artifacts, version.manifest).files
        names = [f"t{n}_" for n in range(6) if f"t{n}" != segment]
        others = [name.encode(code) for name in names for code in ("utf-8", "utf-32-le")]
        assert not [name for name, data in files.items() if any(o in data for o in others)]


def lines() -> pd.DataFrame:
    """Four tenants with two lines each; one of them has a few days only, one ends earlier."""
    east = meters(4)
    west = east.assign(load=east["load"] * 2.0)
    table = pd.concat([east.assign(line="east"), west.assign(line="west")])
    short = (table["tenant"] == "t1") & (table["at"] >= "2024-01-06")
    earlier = (table["tenant"] == "t3") & (table["at"] >= "2024-02-07T23")
    return table[~short & ~earlier]


LINES = (
    "logical_model=meters",
    "+data.table.series=line",
    "+logical_model.schema.resolutions=[1h,1D]",
    "backtest.origins=4",
)


def test_a_family_of_forecasts_is_trained_and_answered(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = lines()
    table.to_csv(tmp_path / "meters.csv", index=False)
    summary = run(*LINES)
    counts = summary["training"]["counts"]
    assert (counts["better"], counts["failed"]) == (3, 1)
    found = summary["predictions"]
    assert (found["answered"], found["not_answered"]) == (3, 1)
    segments = {item["segment"]: item for item in found["segments"]}
    assert "meters/t1 has no version" in segments["t1"]["reason"]
    assert segments["t0"]["origin"].startswith("2024-02-10T00:00")
    assert segments["t3"]["origin"].startswith("2024-02-08T00:00")
    assert segments["t0"]["coherence_error"] < 1e-12
    written = tmp_path / "run" / "forecast.parquet"
    family = pd.read_parquet(written)
    assert family.groupby("segment").size().to_dict() == dict.fromkeys(("t0", "t2", "t3"), 50)
    champions = {segment: v.id for segment, v in home.catalog.champions("meters").items()}
    answered = family.groupby("segment")["version"].unique().explode().to_dict()
    assert answered == champions
    assert pq.read_schema(written).metadata[b"unit"] == b"kW"
    served = published(served_folder(home.folder, "meters"))
    assert served.read("forecast.parquet") == written.read_bytes()
    events = home.events.read("meters").to_pandas()
    assert events.groupby("segment").size().to_dict() == dict.fromkeys(("t0", "t2", "t3"), 50)
    assert set(events["role"]) == {"champion"}

    monkeypatch.setenv("LOOPCAST_HOME", str(tmp_path / "other"))
    for segment in ("t0", "t3"):
        alone = table[table["tenant"] == segment].drop(columns="tenant")
        alone.to_csv(tmp_path / "meters.csv", index=False)
        run(*LINES, "data.table.segment=null")
        expected = pd.read_parquet(written)
        own = family[family["segment"] == segment].drop(columns=["segment", "version"])
        pd.testing.assert_frame_equal(own.reset_index(drop=True), expected, check_exact=True)
        keys = open_home(tmp_path / "other").events.read("meters")["key"].to_pylist()
        assert set(events.loc[events["segment"] == segment, "key"]) <= set(keys)


def test_a_family_is_forecast_by_what_is_released_and_on(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = lines()
    table.to_csv(tmp_path / "meters.csv", index=False)
    run(*LINES, "job=train")
    home.catalog.set_switch("meters", ["t0"], "freeze", by="ann", reason="audit")
    home.catalog.set_switch("meters", ["t2"], "off", by="ann", reason="a fault")
    without = table[(table["tenant"] != "t3") | (table["line"] != "west")]
    without.to_csv(tmp_path / "meters.csv", index=False)
    summary = run(*LINES, "job=serve", "job.origin=2024-02-05")
    assert "training" not in summary
    assert home.catalog.count() == 3
    reasons = {item["segment"]: item["reason"] for item in summary["predictions"]["segments"]}
    assert reasons["t0"] == ""
    assert "meters/t2 is switched off since" in reasons["t2"]
    assert "1 missing, the first west" in reasons["t3"]
    family = pd.read_parquet(tmp_path / "run" / "forecast.parquet")
    assert set(family["segment"]) == {"t0"}
    assert set(family["time"].dt.strftime("%Y-%m-%d")) == {"2024-02-05"}


def test_a_forecast_that_is_frozen_keeps_its_version(tmp_path: Path, run: Any, home: Home) -> None:
    one = ("logical_model=meters", "data.table.segment=null")
    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    assert run(*one)["trained_now"]
    home.catalog.set_switch("meters", [""], "freeze", by="ann", reason="audit")
    meters(1).iloc[: 24 * 39].to_csv(tmp_path / "meters.csv", index=False)
    assert not run(*one)["trained_now"]
    assert home.catalog.count() == 1
    with pytest.raises(SwitchError, match="meters is frozen since"):
        run(*one, "job=train")
