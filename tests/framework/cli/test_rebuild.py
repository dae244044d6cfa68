"""A version is rebuilt from its bundle and its data, and compared to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from loopcast.api import DataError
from loopcast.api.formats import npz_bytes, read_npz
from loopcast.cli import loopcast as program
from loopcast.deploy.bundle import read_bundle
from loopcast.develop.engine import LocalEngine
from loopcast.iterate.rebuild import Rebuilt, _array_difference, rebuild
from loopcast.plugins import PluginManager
from loopcast.store.home import Home

from ..examples import applications, sales
from .test_rank_run import SHOP
from .test_segment_run import FAMILY


def again(home: Home, plugins: PluginManager, tmp_path: Path, segment: str, name: str) -> Rebuilt:
    version = home.catalog.newest(name)[segment]
    return rebuild(home, plugins, version, LocalEngine(), base=tmp_path)


def test_scores_and_rankings_are_rebuilt_bit_for_bit(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    sales(600, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("job=train")
    run(SHOP, "job=train")
    for name in ("credit", "shop"):
        found = again(home, plugins, tmp_path, "", name)
        assert (found.identical, found.reproduced, found.difference) == (True, True, 0.0)
        assert home.catalog.count() == 2


def test_one_segment_of_a_family_is_rebuilt(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    parts = [applications(200, seed=n).assign(region=f"r{n}") for n in range(3)]
    table = pd.concat(parts)
    table.to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    assert again(home, plugins, tmp_path, "r1", "credit").identical
    table[table["region"] != "r1"].to_csv(tmp_path / "applications.csv", index=False)
    assert again(home, plugins, tmp_path, "r0", "credit").identical
    with pytest.raises(Exception, match="has no rows of segment 'r1' any more"):
        again(home, plugins, tmp_path, "r1", "credit")


def test_data_that_changed_or_is_gone_is_said(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = applications(400, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    table.assign(income=table["income"] + 1).to_csv(tmp_path / "applications.csv", index=False)
    with pytest.raises(DataError, match=r"is not what version .* was trained on"):
        again(home, plugins, tmp_path, "", "credit")
    (tmp_path / "applications.csv").unlink()
    with pytest.raises(DataError, match=r"applications\.csv does not exist"):
        again(home, plugins, tmp_path, "", "credit")


def test_another_model_is_measured_against_the_tolerance(
    tmp_path: Path,
    run: Any,
    home: Home,
    plugins: PluginManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    version = home.catalog.newest("credit")[""]
    template = plugins.template("example.logistic")
    module = __import__(type(template).__module__)
    exact = module.newton
    monkeypatch.setattr(module, "newton", lambda x, y, w, p: exact(x, y, w, p) * (1 + 1e-9))
    close = again(home, plugins, tmp_path, "", "credit")
    assert not close.identical
    assert close.reproduced
    assert 0 < close.difference < 1e-7
    assert "model/model.npz" in close.files
    assert close.environment == ()
    monkeypatch.setattr(module, "newton", lambda x, y, w, p: exact(x, y, w, p) * 1.1)
    assert not again(home, plugins, tmp_path, "", "credit").reproduced
    files = read_bundle(home.artifacts, version.manifest).files
    arrays = read_npz(files["scenarios/rows.npz"])
    fewer = npz_bytes({name: values[:5] for name, values in arrays.items()})
    assert _array_difference(files["scenarios/rows.npz"], fewer) == float("inf")


def test_the_command_says_so(tmp_path: Path, run: Any, home: Home, loopcast_home: Path) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    version = home.catalog.newest("credit")[""].id
    arguments = ["models", "rebuild", version, "--home", str(loopcast_home)]
    said = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert (said.exit_code, said.output) == (0, f"version {version}: identical, bit for bit\n")
    said = CliRunner().invoke(program, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(said.output)["identical"]
