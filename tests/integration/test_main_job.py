"""The main job as a stranger runs it: the installed command, in an empty folder, on real data."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from loopcast.serve.published import published, served_folder
from loopcast.store.home import open_home

ROOT = Path(__file__).resolve().parents[2]
LOOPCAST = Path(sys.executable).with_name("loopcast")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    home = {"LOOPCAST_HOME": str(folder / "home")}
    return subprocess.run(
        [str(LOOPCAST), "run", *arguments],
        cwd=folder,
        env={**os.environ, **home, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def results(finished: subprocess.CompletedProcess[str]) -> Path:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = re.search(r"results +(\S+)", finished.stdout)
    assert found is not None, finished.stdout
    return Path(found[1])


def summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("main_job")


@pytest.fixture(scope="module")
def first(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the main job in an empty folder."""
    return run(folder)


def test_it_beats_both_baselines_with_honest_intervals(
    first: subprocess.CompletedProcess[str],
) -> None:
    found = summary(results(first))
    metrics = found["metrics"]
    assert list(metrics) == ["gam_arima", "naive_day", "naive_week"]
    assert "28 origins" in found["evaluation"]
    for baseline in ("naive_day", "naive_week"):
        for metric in ("mape", "rmse", "mae", "pinball"):
            assert metrics["gam_arima"][metric] < 0.8 * metrics[baseline][metric]
    assert 0.85 <= metrics["gam_arima"]["coverage"] <= 0.95
    assert found["coherence_error"] < 1e-9
    assert (found["stage"], found["trained_now"]) == ("champion", True)
    assert {"data", "version", "forecast", "write"} <= set(found["seconds"])
    assert {"pygam", "statsmodels", "loopcast", "python"} <= set(found["environment"])


def test_the_forecast_is_the_next_day_at_every_level(
    first: subprocess.CompletedProcess[str],
) -> None:
    folder = results(first)
    table = pd.read_parquet(folder / "forecast.parquet")
    assert table.groupby("step").size().to_dict() == {"30min": 48, "1h": 24, "1D": 1}
    assert str(table["time"].dt.tz) == "Australia/Melbourne"
    assert table["time"].min() == pd.Timestamp(summary(folder)["origin"])
    levels = ["0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95"]
    assert (np.diff(table[levels].to_numpy(), axis=1) >= 0).all()
    totals = table.groupby("step")["total"].sum()
    np.testing.assert_allclose(totals, totals["1D"], rtol=1e-9)
    metadata = pq.read_schema(folder / "forecast.parquet").metadata
    assert metadata[b"unit"] == b"MW"
    assert metadata[b"version"].decode() == summary(folder)["version"]


def test_it_says_what_it_did(first: subprocess.CompletedProcess[str]) -> None:
    assert first.stderr == ""
    for words in ("Day-ahead electricity demand of Victoria", "trained now", "naive_week", "MAPE"):
        assert words in first.stdout
    page = (results(first) / "report.html").read_text()
    assert "Day-ahead electricity demand of Victoria" in page


def test_a_second_run_finds_the_version_and_logs_its_events(
    first: subprocess.CompletedProcess[str], folder: Path
) -> None:
    second = run(folder)
    assert "found" in second.stdout
    before, after = summary(results(first)), summary(results(second))
    assert not after["trained_now"]
    assert after["version"] == before["version"]
    assert after["metrics"] == before["metrics"]
    a, b = (pd.read_parquet(results(r) / "forecast.parquet") for r in (first, second))
    pd.testing.assert_frame_equal(a, b)
    events = open_home(folder / "home").events.read("victoria_demand")
    assert events.num_rows == 2 * 73
    assert set(events["version"].to_pylist()) == {before["version"]}


def test_changed_configuration_trains_another_version(
    first: subprocess.CompletedProcess[str], folder: Path
) -> None:
    other = run(
        folder, "template=forecasting.seasonal_naive", "~baselines.naive_week",
    )  # fmt: skip
    found = summary(results(other))
    assert found["trained_now"]
    assert found["version"] != summary(results(first))["version"]
    assert found["stage"] == "candidate"  # it loses to the champion
    assert "not worse than champion" in other.stdout
    # Consumers go on reading what the champion forecast.
    served = published(served_folder(folder / "home", "victoria_demand"))
    assert set(served.batch.versions.values()) == {summary(results(first))["version"]}
    assert json.loads(served.read("summary.json"))["stage"] == "champion"


def test_a_model_that_loses_to_a_baseline_makes_no_forecast(
    first: subprocess.CompletedProcess[str], folder: Path
) -> None:
    lost = run(
        folder, "template=forecasting.seasonal_naive", "template.hyperparameters.season=1D",
        "~baselines.naive_day",
    )  # fmt: skip
    assert lost.returncode == 1
    assert "did not pass its gates" in lost.stderr
    assert "Traceback" not in lost.stderr


@pytest.mark.slow
def test_a_switch_holds_what_serves(first: subprocess.CompletedProcess[str], folder: Path) -> None:
    def switch(state: str) -> None:
        with open_home(folder / "home").catalog as catalog:
            catalog.set_switch("victoria_demand", [""], state, by="ann", reason="meter fault")  # type: ignore[arg-type]

    champion = summary(results(first))["version"]
    switch("freeze")
    frozen = run(folder, "seed=5")  # another seed would train another version
    assert summary(results(frozen))["version"] == champion
    refused = run(folder, "job=train")
    assert refused.returncode == 1
    assert "is frozen since" in refused.stderr
    assert "by ann (meter fault), and nothing is trained" in refused.stderr
    switch("off")
    off = run(folder)
    assert off.returncode == 1
    assert "is switched off since" in off.stderr
    assert "fallback: use the same half-hours of a week ago" in off.stderr
    switch("on")


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 8])
def test_a_killed_run_leaves_nothing_in_the_way(tmp_path: Path, units: int) -> None:
    arguments = ("template=forecasting.seasonal_naive", "~baselines.naive_week")
    said = tmp_path / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(
            [str(LOOPCAST), "run", *arguments],
            cwd=tmp_path,
            env={**os.environ, "LOOPCAST_HOME": str(tmp_path / "home")},
            stdout=out,
            stderr=out,
        )
        while process.poll() is None and f"training: {units} of" not in said.read_text():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    again = run(tmp_path, *arguments)
    assert summary(results(again))["stage"] == "champion"


def test_data_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    failed = run(tmp_path, "logical_model=nem_demand", LOOPCAST_NEM_DATA="/nowhere")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "/nowhere/nem_halfhourly_long.parquet does not exist" in failed.stderr
    assert not list((tmp_path / "home").rglob("forecast.parquet"))


@pytest.fixture
def market_data() -> Path:
    """Where the market's data is, which the repository does not hold."""
    place = Path(os.environ.get("LOOPCAST_NEM_DATA", ROOT.parent / "shared/data/nem_hierarchy"))
    if not (place / "nem_halfhourly_long.parquet").is_file():
        pytest.skip(f"no market data in {place}: set LOOPCAST_NEM_DATA to its folder")
    return place


@pytest.mark.slow
def test_the_market_and_its_regions_add_up(tmp_path: Path, market_data: Path) -> None:
    folder = results(run(tmp_path, "logical_model=nem_demand", LOOPCAST_NEM_DATA=str(market_data)))
    found = summary(folder)
    metrics = found["metrics"]
    for baseline in ("naive_day", "naive_week"):
        for metric in ("mape", "pinball"):
            assert metrics["gam_arima"][metric] < 0.6 * metrics[baseline][metric]
    assert 0.85 <= metrics["gam_arima"]["coverage"] <= 0.95
    assert found["coherence_error"] < 1e-9
    by_region = found["metrics_by_series"]
    assert list(by_region["gam_arima"]) == ["NSW", "QLD", "SA", "TAS", "VIC", "NEM"]
    for region, own in by_region["gam_arima"].items():
        assert own["mape"] < by_region["naive_day"][region]["mape"]
        assert own["mape"] < by_region["naive_week"][region]["mape"]
    table = pd.read_parquet(folder / "forecast.parquet")
    wide = table.pivot(index=["step", "time"], columns="series", values="mean")
    regions = wide[["NSW", "QLD", "SA", "TAS", "VIC"]].sum(axis=1)
    np.testing.assert_allclose(wide["NEM"], regions, rtol=1e-9)
    totals = table.groupby(["series", "step"])["total"].sum().unstack()
    np.testing.assert_allclose(totals["30min"], totals["1D"], rtol=1e-9)
    np.testing.assert_allclose(totals["1h"], totals["1D"], rtol=1e-9)
