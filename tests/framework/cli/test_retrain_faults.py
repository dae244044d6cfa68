"""Rounds of retraining that are killed, and two at once: real processes on one home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.develop.source import BATCH
from loopcast.iterate.family import AT_ONCE
from loopcast.iterate.retrain.report import RETRAINED
from loopcast.store.home import Home

from ..examples import SCORE_DATA, SCORE_MODEL, applications, install_examples, write_configuration

pytestmark = pytest.mark.slow

REGIONS = tuple(f"r{number:03}" for number in range(AT_ONCE * BATCH + 32))
"""More than what is settled at once."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a plugin, configuration, and a family that has champions."""
    (tmp_path / "site").mkdir()
    install_examples(tmp_path / "site")
    files = {"logical_model/credit.yaml": SCORE_MODEL, "data/applications.yaml": SCORE_DATA}
    write_configuration(tmp_path / "conf", files)
    put(tmp_path, seed=1)
    done = start(tmp_path, "job=train", "job.at=2025-01-10").wait(timeout=120)
    assert done == 0
    put(tmp_path, seed=2)
    return tmp_path


def put(folder: Path, seed: int) -> None:
    table = applications(60 * len(REGIONS), seed=seed)
    table["region"] = [REGIONS[row % len(REGIONS)] for row in range(len(table))]
    table.to_csv(folder / "applications.csv", index=False)


def start(folder: Path, *overrides: str) -> subprocess.Popen[bytes]:
    code = "from loopcast.cli import main; main()"
    chosen = ("logical_model=credit", "data.table.segment=region", "engine.workers=1")
    env = {
        **os.environ,
        "PYTHONPATH": str(folder / "site"),
        "LOOPCAST_HOME": str(folder / "home"),
        "LOOPCAST_CONFIG_DIR": str(folder / "conf"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", *chosen, *overrides],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
    )


def summaries(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "home" / "runs").rglob("summary.json"))
    found = [json.loads(file.read_text()) for file in files]
    return [content["retraining"] for content in found if "retraining" in content]


@pytest.fixture
def home(folder: Path) -> Home:
    from loopcast.store.home import open_home

    return open_home(folder / "home", create=False)


def trained(home: Home) -> int:
    """How many trainings left something behind."""
    return home.catalog.count() + len(home.catalog.attempts("credit"))


@pytest.mark.parametrize("keep", ["all", "better"])
def test_what_was_killed_is_gone_on_with(folder: Path, home: Home, keep: str) -> None:
    before, job = trained(home), ("job=retrain", f"retrain.keep={keep}")
    assert before > AT_ONCE * BATCH  # a few of the small segments have one outcome only
    killed = start(folder, *job, "job.at=2025-06-01")
    until = time.monotonic() + 120
    while trained(home) == before and time.monotonic() < until:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = trained(home) - before
    assert 0 < done < before
    assert not summaries(folder)
    assert start(folder, *job, "job.at=2025-06-02").wait(timeout=120) == 0
    [told] = summaries(folder)
    assert len(told["segments"]) == len(REGIONS)
    assert {item["why"] for item in told["segments"]} <= {
        "trained 142 days ago; the schedule says every 90",
        "it was never trained",
    }
    assert sum(told["counts"][name] for name in (*RETRAINED, "kept")) > AT_ONCE * BATCH
    assert (len(home.catalog.attempts("credit")) > 0) == (keep == "better")
    champions = home.catalog.champions("credit")
    releases = home.catalog.serving("credit")
    assert len(releases) == len(champions)
    tried = home.catalog.attempts("credit")
    assert start(folder, *job, "job.at=2025-06-03").wait(timeout=120) == 0
    assert summaries(folder)[-1]["counts"]["retrained"] == 0
    assert home.catalog.attempts("credit") == tried
    assert not list((home.folder / "retrain").rglob("*.json"))


@pytest.mark.parametrize("keep", ["all", "better"])
def test_two_rounds_at_once_do_the_same_once(folder: Path, home: Home, keep: str) -> None:
    before = {item.version.id for item in home.catalog.versions(limit=1_000)}
    served = {release.segment for release in home.catalog.serving("credit")}
    job = ("job=retrain", f"retrain.keep={keep}", "job.at=2025-06-01")
    both = [start(folder, *job) for _ in range(2)]
    assert [process.wait(timeout=240) for process in both] == [0, 0]
    one, two = summaries(folder)
    versions = [{i["segment"]: i["version"] for i in told["segments"]} for told in (one, two)]
    # Where one process began when the other was done, nothing was due any more.
    named = {(s, v) for told in versions for s, v in told.items() if v and v not in before}
    made = {segment for segment, _ in named}
    assert len(made) == len(named)
    assert home.catalog.count() == len(before) + len(named)
    tried = home.catalog.attempts("credit")
    assert not made & tried.keys()
    assert len(made) + len(tried) > AT_ONCE * BATCH
    champions: pd.Series[str] = pd.Series([r.segment for r in home.catalog.serving("credit")])
    assert champions.is_unique
    assert len(served) > 20
    assert served <= set(champions)
