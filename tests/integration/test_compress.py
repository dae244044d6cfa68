"""`loopcast compress`: a small scorecard through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from loopcast import config
from loopcast.api import LoopcastError, ModelError
from loopcast.cli import loopcast, plugin_manager
from loopcast.cli.run import execute
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.store.home import Home, open_home

from ..framework.examples import SCORE_DATA, SCORE_MODEL, applications, write_configuration

BY = ("--by", "ann")


def told(*arguments: str) -> Result:
    result = CliRunner().invoke(loopcast, arguments)
    if isinstance(result.exception, LoopcastError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def home(loopcast_home: Path) -> Home:
    return open_home(loopcast_home)


@pytest.fixture
def card(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scorecard of ten characteristics, most of which are incomes of other months."""
    monkeypatch.chdir(tmp_path)
    table, rng = applications(1000, seed=1), np.random.default_rng(1)
    months = [f"income_{month}" for month in range(8)]
    others = {month: table["income"] + rng.normal(0, 400, 1000) for month in months}
    table.assign(**others).to_csv("applications.csv", index=False)
    more = "".join(f"      {month}: {{kind: numeric}}\n" for month in months)
    model = SCORE_MODEL.replace("example.logistic", "credit.scorecard")
    model = model.replace("baselines:", f"{more}baselines:")
    files = {"logical_model/credit.yaml": model, "data/applications.yaml": SCORE_DATA}
    folder = write_configuration(tmp_path / "conf", files)
    plugins = plugin_manager()
    chosen = ["logical_model=credit", "job=train", "engine.workers=1"]
    execute(config.compose(chosen, plugins=plugins, folder=folder), tmp_path / "run", plugins)
    with home.catalog as catalog:
        [version] = catalog.versions()
    return version.version.id


def test_a_scorecard_within_its_budget_or_not_at_all(card: str, home: Home, tmp_path: Path) -> None:
    whole, small, page = (tmp_path / name for name in ("whole.tflite", "s.tflite", "s.html"))
    told("export", card, "--format", "tflite", "-o", str(whole), *BY)
    said = told("compress", card, "-o", str(small), "--error", "0.01", "--page", str(page), *BY)
    assert f"{small.stat().st_size:,} bytes" in said.output
    assert "chosen" in said.output
    assert "the smallest of" in page.read_text().lower()
    again = told("compress", card, "-o", str(small), "--error", "0.01", "--json", *BY)
    answer = json.loads(again.stdout)
    assert answer["chosen"]["bytes"] == small.stat().st_size < whole.stat().st_size
    assert 0.0 < answer["chosen"]["error"] <= 0.01
    with home.catalog as catalog:
        [last] = catalog.audit_log(limit=1)
    assert last.details["file"] == answer["file"]
    asked = np.full((2, 10), [[3000.0], [900.0]], np.float32)
    exact, near = (next(sessions(file.read_bytes())).run(asked)[0] for file in (whole, small))
    assert not np.array_equal(near, exact)
    np.testing.assert_allclose(near, exact, rtol=0.03)
    with pytest.raises(ModelError, match=r"no file keeps to an error of 0\.01 and 500 bytes"):
        told("compress", card, "-o", str(tmp_path / "no"), "--error", "0.01", "--bytes", "500", *BY)
    assert not (tmp_path / "no").exists()
