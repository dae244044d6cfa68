"""Hundreds of meters in a tree, some of them broken, through the installed command."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LOOPCAST = Path(sys.executable).with_name("loopcast")
METERS = 200
NODES = METERS + 8 + 1 + 1  # stations, one area, the total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables and the configuration of simulated meters."""
    path = ROOT / "tests" / "benchmarks" / "meters.py"
    spec = importlib.util.spec_from_file_location("meters", path)
    assert spec is not None
    assert spec.loader is not None
    meters = importlib.util.module_from_spec(spec)
    sys.modules["meters"] = meters
    spec.loader.exec_module(meters)
    folder = tmp_path_factory.mktemp("meters")
    meters.write_tables(folder, METERS)
    meters.write_configuration(folder, METERS)
    return folder


def run(folder: Path, *arguments: str) -> tuple[str, Path]:
    """Run the command; return what it printed and where its results are."""
    finished = subprocess.run(
        [str(LOOPCAST), "run", f"--config-dir={folder}", "logical_model=meters", *arguments],
        cwd=folder,
        env={**os.environ, "LOOPCAST_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == ""
    found = re.search(r"results +(\S+)", finished.stdout)
    assert found is not None
    return finished.stdout, Path(found[1])


def summary(results: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((results / "summary.json").read_bytes())
    return content


@pytest.fixture(scope="module")
def trained(folder: Path) -> tuple[str, Path]:
    return run(folder, "job=train")


@pytest.fixture(scope="module")
def served(trained: tuple[str, Path], folder: Path) -> tuple[str, Path]:
    return run(folder, "job=serve", "data=recent")


def test_broken_meters_stop_nothing_and_are_named(trained: tuple[str, Path]) -> None:
    told, results = trained
    dead = "all 15982 actuals are missing; the fallback has no value, so 0"
    assert summary(results)["fallback"] == {"count": 1, "series": {"m00000": dead}}
    assert f"1 of {NODES} series have no model and are forecast by the fallback" in told
    assert summary(results)["trained_now"]


def test_the_page_shows_some_of_many(trained: tuple[str, Path]) -> None:
    _, results = trained
    page = (results / "report.html").read_text()
    assert f"Shown are 36 of {NODES} series" in page
    assert len(page) < 5e6
    shown = summary(results)["metrics_by_series"]["gam_ridge"]
    assert len(shown) == 36
    assert {"total", "area_0"} <= set(shown)


def test_the_day_is_forecast_by_the_released_version(
    trained: tuple[str, Path], served: tuple[str, Path]
) -> None:
    first, day = summary(trained[1]), summary(served[1])
    assert (day["version"], day["trained_now"]) == (first["version"], False)
    assert day["origin"] == "2014-12-31T00:00:00+11:00"
    assert day["metrics"] == first["metrics"]
    assert day["coherence_error"] < 1e-12
    assert day["metrics"]["gam_ridge"]["mae"] < 0.6 * day["metrics"]["naive_week"]["mae"]


def test_every_node_has_ordered_quantiles_that_add_up(served: tuple[str, Path]) -> None:
    table = pd.read_parquet(served[1] / "forecast.parquet")
    assert len(table) == 48 * NODES
    levels = ["0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95"]
    values = table[levels].to_numpy()
    assert np.isfinite(values).all()
    assert (np.diff(values, axis=1) >= 0).all()
    assert (values >= 0).all()
    wide = table.pivot_table(index="time", columns="series", values="mean")
    meters = wide.filter(regex=r"^m\d+$").sum(axis=1)
    np.testing.assert_allclose(wide["total"], meters, rtol=1e-9)
    for name in ("m00000", "m00001"):  # dead, which sums count as zero, and always zero
        np.testing.assert_allclose(wide[name], 0, atol=1e-2)
