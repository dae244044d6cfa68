"""``loopcast validate`` and the page of a comparison, on scores that a run has trained."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from loopcast import config
from loopcast.api import GateError, GateResult, LoopcastError
from loopcast.cli import plugin_manager
from loopcast.cli.models import models
from loopcast.cli.release import release
from loopcast.cli.validate import validate
from loopcast.deploy.examination import Examination, examine
from loopcast.deploy.loaded import load_version
from loopcast.deploy.validation import demanded, subject_of, validate_versions
from loopcast.develop.engine import LocalEngine
from loopcast.plugins import PluginManager
from loopcast.store.home import Home
from loopcast.store.truth import truth_table
from loopcast.validate.run import run_gates

from ..examples import applications, sales

STRICT = """\
defaults: [default]
name: strict
classes:
  low:
    gates:
      metrics: {at_least: {auc: 0.5}}
      base_case: {}
      oddities: {}
      latency: {repeats: 5}
      fairness: {}
      calibration: {bins: 3}
      size: {}
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(validate, arguments)


@pytest.fixture
def version(tmp_path: Path, run: Any, home: Home) -> str:
    """A trained version, and a policy that demands more than the default one."""
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    (tmp_path / "conf" / "policy").mkdir()
    (tmp_path / "conf" / "policy" / "strict.yaml").write_text(STRICT)
    champion = home.catalog.champion("credit")
    assert champion is not None
    return champion.id


def strict(tmp_path: Path) -> list[str]:
    return ["--config-dir", str(tmp_path / "conf"), "--policy", "strict"]


def test_all_gates_of_the_policy_are_run_and_stored(
    tmp_path: Path, version: str, home: Home
) -> None:
    result = invoke(version, *strict(tmp_path), "--by", "ann")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[1] == f"version {version} of credit: all tests passed"
    assert lines[2].split() == ["gate", "test", "result", "expected", "measured"]
    [validation] = [v for v in home.catalog.validations(version) if v.by == "ann"]
    gates = dict.fromkeys(item.gate for item in validation.results)
    asked = {"metrics", "base_case", "oddities", "latency", "fairness", "calibration", "size"}
    assert asked < set(gates)
    assert validation.passed
    tests = {item.test for item in validation.results if item.gate == "oddities"}
    assert {"missing debt", "highest income", "no row", "rows in another order"} <= tests


def test_the_versions_of_a_family_are_validated_beside_each_other(
    tmp_path: Path, run: Any, home: Home
) -> None:
    tables = [applications(200, seed=k).assign(region=f"r{k}") for k in (1, 2, 3)]
    table = pd.concat(tables).assign(id=lambda t: [f"a{k}" for k in range(len(t))])
    table.to_csv(tmp_path / "applications.csv", index=False)
    run("data.table.segment=region", "job=train")
    family = ["-m", "credit", "--all-segments", "--in", "champion", "--json"]
    result = invoke(*family, "--by", "ann")
    assert result.exit_code == 0, result.output
    champions = home.catalog.champions("credit", ["r1", "r2", "r3"])
    assert set(json.loads(result.output)) == {version.id for version in champions.values()}
    for version in champions.values():
        assert home.catalog.validations(version.id)[-1].by == "ann"


def test_rankings_pass_their_gates(tmp_path: Path, run: Any, home: Home) -> None:
    sales(900, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("logical_model=shop", "job=train")
    champion = home.catalog.champion("shop")
    assert champion is not None
    names = ("base_case", "oddities", "stability", "latency", "size", "fairness", "calibration")
    gates = [part for name in names for part in ("--gate", name)]
    result = invoke(champion.id, *gates, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)[champion.id]
    tests = {item["test"] for item in found if item["gate"] == "oddities"}
    assert {"entities never seen", "nothing allowed", "one entity alone"} <= tests


def test_recent_requests_and_their_outcomes_are_looked_at(
    tmp_path: Path, run: Any, version: str, home: Home
) -> None:
    run()  # scores every application, and logs what was asked
    table = pd.read_csv(tmp_path / "applications.csv")
    known = table.head(300)
    truth = truth_table(key=known["id"], value=known["outcome"], observed=datetime.now(UTC))
    home.truth.add("credit", truth)
    result = invoke(version, "--gate", "recent", "--json")
    assert result.exit_code == 0, result.output
    requests, outcomes = json.loads(result.output)[version]
    assert (requests["test"], requests["measured"]) == ("requests", "400 probabilities")
    assert outcomes["measured"].startswith("auc 0.")
    registered, plugins = home.catalog.version(version), plugin_manager()
    production = subject_of(home, plugins, registered, production=True).production
    assert production is not None
    assert subject_of(home, plugins, registered).production is None
    asked = production.rows.loc[table["id"]]
    np.testing.assert_array_equal(asked["income"], table["income"])
    actual = pd.Series(production.actual, production.rows.index)
    assert actual[known["id"]].tolist() == (known["outcome"] == "bad").astype(float).tolist()
    assert actual[table["id"].iloc[300:]].isna().all()


def test_what_is_examined_in_memory_is_what_the_stores_say(version: str, home: Home) -> None:
    registered, plugins = home.catalog.version(version), plugin_manager()
    loaded = load_version(home, plugins, registered)
    row = config.compose_policy("default", plugins=plugins).row(loaded.logical_model)

    def examined(champion: str | None, *only: str) -> Examination | None:
        return examine(
            loaded,
            demanded(row, plugins, only),
            champion,
            metrics=plugins.metrics_of(loaded.logical_model),
            find=plugins.template,
        )

    new, serving = examined(None), examined(version)
    assert new is not None
    assert new.results == home.catalog.validations(version)[0].results  # of its training
    assert serving is not None
    subject = subject_of(home, plugins, registered)
    assert serving.results == run_gates(subject, demanded(row, plugins), LocalEngine())
    assert examined("0" * 16) is None  # whose judged rows only the stores have
    assert examined(None, "recent") is None


def test_what_was_examined_beside_another_champion_is_examined_again(
    version: str, home: Home
) -> None:
    registered, plugins = home.catalog.version(version), plugin_manager()
    policy = config.compose_policy("default", plugins=plugins)
    told = (GateResult(gate="base_case", passed=True, expectation="told", measured="told"),)
    for champion, believed in ((version, True), (None, False)):
        [found] = validate_versions(
            home,
            plugins,
            policy,
            [registered],
            LocalEngine(),
            by="ann",
            examined={version: Examination(champion=champion, results=told)},
        )
        assert (found.results == told) is believed
        assert home.catalog.validations(version)[-1] == found


def test_a_failure_names_its_test_and_ends_with_one(tmp_path: Path, version: str) -> None:
    policy = tmp_path / "conf" / "policy" / "strict.yaml"
    policy.write_text(policy.read_text().replace("auc: 0.5", "auc: 1.0"))
    result = invoke(version, *strict(tmp_path), "--json")
    assert result.exit_code == 1
    failed = [item for item in json.loads(result.output)[version] if not item["passed"]]
    assert [(item["gate"], item["test"]) for item in failed] == [("metrics", "auc")]
    assert failed[0]["expectation"] == "auc at least 1"


def test_one_gate_is_tried_without_a_trace(version: str, home: Home) -> None:
    before = home.catalog.validations(version)
    result = invoke(version, "--gate", "size", "--json")
    assert result.exit_code == 0, result.output
    assert {item["gate"] for item in json.loads(result.output)[version]} == {"size"}
    assert home.catalog.validations(version) == before


def test_what_the_policy_says_wrong_is_refused(tmp_path: Path, version: str) -> None:
    policy = tmp_path / "conf" / "policy" / "strict.yaml"
    policy.write_text(policy.read_text().replace("repeats: 5", "repeat: 5"))
    result = invoke(version, *strict(tmp_path))
    assert isinstance(result.exception, LoopcastError)
    assert "latency.repeat: unknown key; did you mean 'repeats'?" in str(result.exception)
    result = invoke(version, "--gate", "sise")
    assert "gate 'sise' is not known; did you mean 'size'?" in str(result.exception)


def test_a_version_that_failed_is_not_released(
    tmp_path: Path, run: Any, version: str, home: Home
) -> None:
    run("job=train", "template.hyperparameters.ridge=500.0")
    [second] = [v.version.id for v in home.catalog.versions() if v.version.id != version]
    policy = tmp_path / "conf" / "policy" / "strict.yaml"
    policy.write_text(policy.read_text().replace("auc: 0.5", "auc: 1.0"))
    assert invoke(second, *strict(tmp_path)).exit_code == 1
    arguments = [second, *strict(tmp_path), "--to", "champion", "--by", "ann", "--reason", "try"]
    result = CliRunner().invoke(release, arguments)
    assert isinstance(result.exception, GateError)
    assert "gate metrics (auc) failed: expected auc at least 1" in str(result.exception)


def test_two_scores_are_compared_on_a_page(
    tmp_path: Path, run: Any, version: str, home: Home, plugins: PluginManager
) -> None:
    run("job=train", "template.hyperparameters.ridge=500.0")
    [second] = [v.version.id for v in home.catalog.versions() if v.version.id != version]
    page = tmp_path / "comparison.html"
    result = CliRunner().invoke(models, ["compare", version, second, "--page", str(page)])
    assert result.exit_code == 0, result.output
    content = page.read_text()
    for part in ("Calibration", "ridge", "500.0", "effect-0", version):
        assert part in content


def test_versions_are_set_side_by_side(
    tmp_path: Path, run: Any, version: str, home: Home, plugins: PluginManager
) -> None:
    run("job=train", "template.hyperparameters.ridge=5000.0")
    page = tmp_path / "board.html"
    result = CliRunner().invoke(models, ["board", "-m", "credit", "--json", "--page", str(page)])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["versions"]
    assert {row["version"]["id"] for row in rows} == {v.version.id for v in home.catalog.versions()}
    assert rows[0]["values"]["auc"] >= rows[1]["values"]["auc"]
    assert rows[0]["against_best"] is None
    assert rows[1]["against_best"]["second"] == rows[1]["values"]["auc"]
    assert {row["settings"]["ridge"] for row in rows} == {"0.001", "5000.0"}
    assert set(rows[0]["settings"]) == {"ridge"}
    table = CliRunner().invoke(models, ["board", "-m", "credit"]).output
    assert table.splitlines()[3].split()[0] == rows[0]["version"]["id"]
    assert max(map(len, table.splitlines())) <= 100
    for name in (*rows[0]["values"], "ridge"):
        assert name in table.split()
    assert "Versions of Credit" in page.read_text()


def test_a_board_needs_a_version_that_was_judged(version: str) -> None:
    result = CliRunner().invoke(models, ["board", "-m", "credit", "-s", "north"])
    assert "credit/north has no version that was judged" in str(result.exception)
