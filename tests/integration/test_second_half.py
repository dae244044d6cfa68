"""The example of the second half of the loop: every command of its README, typed as it stands."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "03_second_half"

pytestmark = pytest.mark.slow


def typed() -> list[str]:
    """Return the commands of the README, in order, without those that prepare the shell."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith("export ")]


def start(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LOOPCAST_CONFIG_DIR": "examples/03_second_half/conf",
        "LOOPCAST_HOME": "loopcast-home/flights",
        "COLUMNS": "200",
    }
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flights")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> list[tuple[str, str]]:
    """What each command printed; one that begins with ``!`` has to be refused in words."""
    found = []
    for line in typed():
        done = start(line, folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert ("loopcast: error: " in done.stderr) == line.startswith("!"), done.stderr
        assert "Traceback" not in done.stderr
        found.append((line, done.stdout + done.stderr))
    return found


def of(told: list[tuple[str, str]], *words: str) -> str:
    """Return what the one command with these words printed."""
    [said] = [said for line, said in told if all(word in line for word in words)]
    return said


def test_the_drift_is_noticed_before_the_outcomes_are_known(told: list[tuple[str, str]]) -> None:
    said = of(told, "replay.py 2013-04-01")
    weeks = re.split(r"^Monday ", said, flags=re.M)
    april = next(week for week in weeks if week.startswith("2013-04-15"))
    assert "outcomes of 0 of" in april
    assert re.search(r"critical\s+input temperature", april)
    end = next(week for week in weeks if week.startswith("2013-04-29"))
    assert re.search(r"warning\s+brier is 0\.1\d+, and was 0\.156", end)


def test_retraining_says_why_and_what_a_person_types(told: list[tuple[str, str]]) -> None:
    assert "1: 1 due" in of(told, "retrain.train=false")
    [said] = [s for line, s in told if "job=retrain" in line and "train=false" not in line]
    assert "1 retrained, 1 better, 1 proposed" in said
    assert "input temperature" in said
    assert "--role model_owner --for champion" in said


def test_the_challenger_is_better_in_the_shadow(told: list[tuple[str, str]]) -> None:
    said = of(told, "result warm_shadow")
    assert "better" in said
    assert "6,000" in said


def test_the_test_is_sealed_until_it_is_complete(told: list[tuple[str, str]]) -> None:
    assert "is sealed until the outcomes of" in of(told, "! loopcast experiment result")
    assert "better" in of(told, "result warm_test", "2013-07-01")


def test_the_winner_serves_from_the_day_of_the_replay(
    told: list[tuple[str, str]], folder: Path
) -> None:
    history = json.loads(start("loopcast models history late_flights --json", folder).stdout)
    champions = [entry for entry in history["releases"] if entry["stage"] == "champion"]
    assert [entry["since"][:10] for entry in champions] == ["2013-04-01", "2013-07-01"]
    with sqlite3.connect(folder / "loopcast-home" / "flights" / "catalog.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "as they were written" in start("loopcast audit verify", folder).stdout


def test_the_page_shows_all_of_it_and_needs_no_network(
    told: list[tuple[str, str]], folder: Path
) -> None:
    html = (folder / "monitor.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"']https?:", html)
    for words in ("Predictions a day", "brier, the KPI", "temperature", "brier by", "champion"):
        assert words in html, words
