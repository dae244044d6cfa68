"""Prescreen and underwriting: the region that the first refuses is known to the second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast import config
from loopcast.api import ConfigurationError, GateError, NotFoundError, Version
from loopcast.cli import plugin_manager
from loopcast.cli.run import execute
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.dossier import gather
from loopcast.develop.engine import LocalEngine
from loopcast.iterate.rebuild import rebuild
from loopcast.plugins import PluginManager
from loopcast.store.home import Home, open_home
from loopcast.web.dossier.page import render

# Nobody has to sign in these tests, and what is trained may serve.
FREELY = [
    "logical_model.risk={audience: internal, impact: minor, lifetime: months, "
    "reversibility: reversible, personal_data: none}",
]
FIRST = "logical_model=credit_prescreen"
SECOND = "logical_model=credit_underwriting"


@pytest.fixture
def plugins() -> PluginManager:
    return plugin_manager(("forecasting", "recommender"))


@pytest.fixture
def home(loopcast_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return open_home(loopcast_home)


def run(plugins: PluginManager, name: str, *overrides: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Summary and scores of a run."""
    folder = Path("run")
    settings = config.compose([name, *FREELY, *overrides], plugins=plugins)
    execute(settings, folder, plugins)
    scores = pd.read_parquet(folder / "scores.parquet").set_index("application")
    return json.loads((folder / "summary.json").read_text()), scores


def champion(home: Home, name: str) -> Version:
    found = home.catalog.champion(name)
    assert found is not None
    return found


def test_the_second_knows_what_the_first_refuses(home: Home, plugins: PluginManager) -> None:
    _, before = run(plugins, FIRST, "logical_model.decision.accept_at_random=0.1")
    summary, scores = run(plugins, SECOND)
    barred = before["decision"] == "refused"
    assert 100 < barred.sum() < 1000
    np.testing.assert_array_equal(scores["decision"] == "refused by credit_prescreen", barred)
    assert set(before["decision"][~barred]) == {"granted", "granted at random"}
    assert scores["probability"].isna().equals(barred)
    assert scores["reason_1"][barred].isna().all()
    assert (scores["chance"][barred] == 0.0).all()
    assert summary["predictions"]["decisions"]["refused by credit_prescreen"] == barred.sum()

    version = champion(home, "credit_underwriting")
    files = read_bundle(home.artifacts, version.manifest).files
    first = champion(home, "credit_prescreen").id
    document = files["documentation.md"].decode()
    assert f"probability of 0.7 or more by its version {first} are refused there" in document
    assert f"{barred.sum()} of 4454 rows are such cases. They were left out of training" in document
    page = render(gather(home, plugins, version, config.compose([SECOND], plugins=plugins).policy))
    assert f"{barred.sum()} of 4454 rows are such cases." in page
    [evaluation] = home.catalog.evaluations(version.id)
    judged = [one.count for one in evaluation.metrics if one.name == "auc" and not one.subset]
    assert judged == [round(0.25 * (~barred).sum())]

    events = home.events.read("credit_underwriting").to_pandas().set_index("key")
    labelling = events["labelling"].loc[scores.index.astype(str)]
    np.testing.assert_array_equal(labelling[barred.to_numpy()], 0.0)
    again = rebuild(home, plugins, version, LocalEngine(), base=Path.cwd())
    assert again.identical


@pytest.mark.slow
def test_another_first_version_makes_another_second(home: Home, plugins: PluginManager) -> None:
    run(plugins, FIRST)
    run(plugins, SECOND)
    one = champion(home, "credit_underwriting")
    run(plugins, SECOND, "job=train")
    assert home.catalog.newest("credit_underwriting")[""] == one
    run(plugins, FIRST, "job=train", "logical_model.decision.cutoff=0.5")
    _, scores = run(plugins, SECOND, "job=serve")
    with_old = int((scores["decision"] == "refused by credit_prescreen").sum())
    run(plugins, SECOND, "job=train")
    newest = home.catalog.newest("credit_underwriting")[""]
    assert newest != one
    kept = json.loads(read_bundle(home.artifacts, newest.manifest).files["before/region.json"])
    assert kept["cutoff"] == 0.5
    document = read_bundle(home.artifacts, newest.manifest).files["documentation.md"].decode()
    now = int(document.split(" of 4454 rows are such cases")[0].rpartition(" ")[2])
    assert now > with_old


def test_the_first_has_to_be_there(home: Home, plugins: PluginManager) -> None:
    with pytest.raises(NotFoundError, match="no logical model 'credit_prescreen'"):
        run(plugins, SECOND)
    run(plugins, FIRST)
    with pytest.raises(ConfigurationError, match=r"decides by 'Records', a category; add it, with"):
        run(plugins, SECOND, "~logical_model.schema.features.Records", "~template.hyperparameters")
    home.catalog.put_logical_model(
        config.compose([FIRST, "logical_model.name=nobody"], plugins=plugins).logical_model
    )
    with pytest.raises(GateError, match="follows nobody, which has no champion; release one"):
        run(plugins, SECOND, "logical_model.follows=nobody")
    home.catalog.put_logical_model(
        config.compose(
            [FIRST, "logical_model.name=undecided", "logical_model.decision.cutoff=null"],
            plugins=plugins,
        ).logical_model
    )
    with pytest.raises(ConfigurationError, match="undecided decides by no cut-off of a score"):
        run(plugins, SECOND, "logical_model.follows=undecided")
    assert not home.catalog.newest("credit_underwriting")
