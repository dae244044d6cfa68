"""``loopcast explain``: overall, for rows, with what would flip their decisions, and as a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from loopcast.api import DataError, NotFoundError
from loopcast.cli import loopcast
from loopcast.deploy.loaded import load_version
from loopcast.iterate.importance import importance_of
from loopcast.plugins import PluginManager
from loopcast.store.home import Home

from ..examples import applications

CHANGEABLE = "+logical_model.schema.features.debt.changeable=down"


@pytest.fixture
def version(tmp_path: Path, run: Any, home: Home) -> str:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run(CHANGEABLE, "calibration=none")
    return home.catalog.versions(limit=1)[0].version.id


def explain(home: Home, version: str, *options: str) -> Result:
    arguments = ["explain", version, *options, "--home", str(home.folder)]
    return CliRunner().invoke(loopcast, arguments, catch_exceptions=False)


def test_overall_it_names_what_matters(home: Home, version: str) -> None:
    found = json.loads(explain(home, version, "--json").output)
    assert found["method"] == "the terms of the regression, exactly"
    assert found["note"] == ""
    by_name = {item["feature"]: item for item in found["features"]}
    assert set(by_name) == {"income", "debt"}
    for item in by_name.values():
        low, high = item["interval"]
        assert low < item["loss"] < high
        assert item["loss"] > 0.0
        assert 0.0 < item["moves"] < 0.2
    assert sum(item["first_reason"] for item in by_name.values()) <= 1.0
    shown = explain(home, version).output
    assert "loss without it" in shown


@pytest.mark.parametrize(
    ("outside", "action", "said"),
    [
        ("ignore", "served", r"r1: probability .* \(cut-off 50.0.%\)\n"),
        ("flag", "flagged", r"\(cut-off 50.0.%\); flagged: income above the most in training"),
        ("person", "person", r"r1: given to a person: income above .*; nobody is told what the ve"),
    ],
)
def test_a_row_that_the_version_is_not_to_answer_is_said_to_be_one(
    run: Any, home: Home, outside: str, action: str, said: str
) -> None:
    table, odd = applications(400, seed=1), Path("odd.csv")
    table.to_csv("applications.csv", index=False)
    run(f"+logical_model.applicability={{outside: {outside}, novelty: ignore}}")
    table.iloc[:1].drop(columns="outcome").assign(id="r1", income=1e6).to_csv(odd, index=False)
    options = (home.catalog.versions(limit=1)[0].version.id, "--file", str(odd))
    assert re.search(said, explain(home, *options).output)
    [found] = json.loads(explain(home, *options, "--json").output)
    assert found["action"] == action
    assert found["beyond"].startswith("income above the most in training")


def test_without_the_data_it_says_what_could_not_be_measured(
    home: Home, version: str, tmp_path: Path
) -> None:
    (tmp_path / "applications.csv").unlink()
    found = json.loads(explain(home, version, "--json").output)
    assert "does not exist" in found["note"]
    assert all(item["loss"] is None for item in found["features"])
    assert all(item["contribution"] > 0.0 for item in found["features"])


def test_importance_is_not_measured_on_other_data(
    home: Home, version: str, plugins: PluginManager, tmp_path: Path
) -> None:
    applications(400, seed=2).to_csv(tmp_path / "applications.csv", index=False)
    loaded = load_version(home, plugins, home.catalog.version(version))
    with pytest.raises(DataError, match=r"is not what version .* was trained on"):
        importance_of(loaded, plugins, base=tmp_path)


def test_a_row_is_explained_as_it_was_asked_and_its_decision_flipped(
    home: Home, version: str, plugins: PluginManager
) -> None:
    scores = home.events.read("credit", columns=["key", "outputs"]).to_pylist()
    key = max(scores, key=lambda event: dict(event["outputs"])["probability"])["key"]
    [found] = json.loads(explain(home, version, "--row", key, "--what-if", "--json").output)
    log_odds = found["base"] + sum(found["added"].values())
    assert found["probability"] == pytest.approx(1 / (1 + np.exp(-log_odds)))
    assert not found["granted"]
    model = load_version(home, plugins, home.catalog.version(version)).model
    table = applications(400, seed=1).set_index("id").loc[[key], ["income", "debt"]]
    for answer in found["what_if"]:
        [change] = answer["changes"]
        assert change["feature"] == "debt"
        assert change["after"] < change["before"]
        changed = model.predict(table.assign(debt=change["after"])).probability[0]
        assert changed == pytest.approx(answer["probability"])
        assert changed < 0.5
    with pytest.raises(NotFoundError, match="no event of credit has the key 'nobody'"):
        explain(home, version, "--row", "nobody")


def test_rows_of_a_file_are_read_as_the_training_was(
    home: Home, version: str, tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    applications(12, seed=9).drop(columns="outcome").to_csv(file, index=False)
    found = json.loads(explain(home, version, "--file", str(file), "--json").output)
    assert [one["key"] for one in found] == [f"a9_{row}" for row in range(12)]
    shown = explain(home, version, "--file", str(file), "--what-if").output
    assert "and 2 more" in shown
    pd.read_csv(file).assign(income="much").to_csv(file, index=False)
    with pytest.raises(DataError, match="values that are no finite numbers"):
        explain(home, version, "--file", str(file))


def test_the_page_needs_nothing_else(home: Home, version: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    explain(home, version, "--row", "a1_3", "--what-if", "--page", str(page))
    text = page.read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    for heading in ("Why these rows are scored so", "Which inputs it lives on", "How robust it is"):
        assert heading in text
    assert "a1_3: probability" in text
    assert "How much worse AUC is without what a feature knows" in text


def test_options_that_do_not_go_together_are_refused(home: Home, version: str) -> None:
    assert (
        "give --row or --file, not both"
        in explain(home, version, "--row", "a", "--file", "b.csv").output
    )
    assert "--what-if asks about rows" in explain(home, version, "--what-if").output
