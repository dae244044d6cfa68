"""Rounds that are killed when all is trained, and before it is told: real processes on one home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loopcast.api import ConfigurationError
from loopcast.store.home import Home

from ..examples import meters
from .nights import BETTER, CREDIT, FIRST, put_credit

CHOSEN = (BETTER, "logical_model=credit", "engine.workers=1", *CREDIT)
NIGHT, AGAIN, NEXT = (
    "job.at=2025-12-01T20:00:00Z",
    "job.at=2025-12-02T02:00:00Z",
    "job.at=2025-12-02T20:00:00Z",
)
KILL = """
import os, signal
from unittest import mock
from loopcast.cli import main
with mock.patch({!r}, lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
    main()
"""


def kill(folder: Path, moment: str, *overrides: str) -> None:
    """Run in a process that is killed when it calls the function of a name."""
    killed = subprocess.run(
        [sys.executable, "-c", KILL.format(moment), "run", *overrides],
        env={**os.environ, "LOOPCAST_CONFIG_DIR": str(folder / "conf")},
        stdout=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL


@pytest.fixture
def regions(tmp_path: Path, run: Any) -> None:
    """Regions with champions, of which two get better, one fails, and one is new."""
    put_credit(tmp_path, night=1)
    run("job=train", FIRST, *CREDIT)
    put_credit(tmp_path, night=2)


def results(summary: dict[str, Any]) -> dict[str, str]:
    return {item["segment"]: item["result"] for item in summary["retraining"]["segments"]}


def rounds(home: Home) -> list[Path]:
    return list((home.folder / "retrain").rglob("*.json"))


@pytest.mark.parametrize(
    ("job", "moment"),
    [
        ("retrain", "retrain_run.write_summary"),
        ("night", "night_run.write_summary"),
        ("night", "night_run.publish_answers"),
    ],
)
@pytest.mark.usefixtures("regions")
def test_the_same_command_tells_the_whole_round(
    tmp_path: Path, run: Any, home: Home, job: str, moment: str
) -> None:
    kill(tmp_path, f"loopcast.cli.{moment}", f"job={job}", NIGHT, *CHOSEN)
    made, champions = home.catalog.count(), home.catalog.champions("credit")
    assert rounds(home)
    assert not (home.folder / "served").exists()
    told = run(f"job={job}", AGAIN, *CHOSEN)
    assert results(told) == {
        "east": "proposed", "north": "failed", "south": "proposed", "west": "not better",
        "young": "released",
    }  # fmt: skip
    assert home.catalog.count() == made
    assert home.catalog.champions("credit") == champions
    assert (home.folder / "served/credit/current/scores.parquet").exists() == (job == "night")
    assert not rounds(home)


@pytest.mark.usefixtures("regions")
def test_the_next_night_has_a_day_of_its_own(tmp_path: Path, run: Any, home: Home) -> None:
    kill(tmp_path, "loopcast.cli.night_run.write_summary", "job=night", NIGHT, *CHOSEN)
    told = run("job=night", NEXT, *CHOSEN)
    assert set(results(told).values()) == {"not due", "failed"}
    assert (home.folder / "served/credit/current/scores.parquet").exists()
    assert not rounds(home)


def test_a_night_of_one_forecast_tells_its_round_again(
    tmp_path: Path, run: Any, home: Home
) -> None:
    alone = ("backtest.origins=3", "backtest.calibration=3", "data.table.segment=null")
    chosen = ("logical_model=meters", *alone, "engine.workers=1")
    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    run("job=train", FIRST, "+data.table.until=2024-02-06", *chosen)
    kill(tmp_path, "loopcast.cli.forecast_run.publish_results", "job=night", NIGHT, *chosen)
    made = home.catalog.count()
    assert made == 2
    told = run("job=night", AGAIN, *chosen)
    [segment] = told["retraining"]["segments"]
    assert segment["result"] == "not better"
    assert segment["version"] in {version.id for version in home.catalog.newest("meters").values()}
    assert home.catalog.count() == made
    assert (home.folder / "served/meters/current/forecast.parquet").exists()
    assert not rounds(home)


@pytest.mark.usefixtures("regions")
def test_a_remedy_that_is_none_begins_no_round(run: Any, home: Home) -> None:
    for job in ("retrain", "night"):
        with pytest.raises(ConfigurationError, match="none is named"):
            run(f"job={job}", NIGHT, "retrain.remedy=fall_back", *CHOSEN)
    assert not rounds(home)
