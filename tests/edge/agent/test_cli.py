"""The program without a broker: a file is replayed, and the state folder read."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.agent.cli import main
from loopcast_edge.agent.settings import read
from loopcast_edge.agent.status import status
from loopcast_edge.wire import Trial, encode

from ..centre import STEP_S, Centre, now_ms

FIRST = now_ms() // (STEP_S * 1000) * STEP_S * 1000 - 40 * 86_400_000
SETTINGS = """
device = "meter-7"
state = "state"
root = "root"
keys = "keys"
local = ["package"]
[source]
kind = "replay"
path = "day.jsonl"
[sink]
path = "predictions.jsonl"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A device that works alone, with a package that was brought by hand."""
    centre = Centre()
    package = centre.package(trial=Trial(seconds=0, predictions=5))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "manifest").write_bytes(encode(package.envelope))
    (tmp_path / "package" / "model.tflite").write_bytes(package.model)
    (tmp_path / "root").write_bytes(encode(centre.root))
    (tmp_path / "keys").write_bytes(centre.keys())
    (tmp_path / "agent.toml").write_text(SETTINGS)
    lines = [
        {"time": FIRST + number * STEP_S * 1000, "temperature": number / 10, "load": 1}
        for number in range(200)
    ]
    rubbish = ["", "no JSON", '{"time": "yesterday"}', "[1]", '{"temperature": {}}']
    text = "\n".join([*map(json.dumps, lines), *rubbish])
    (tmp_path / "day.jsonl").write_text(text)
    return tmp_path


def loopcast_edge(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loopcast_edge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_file_is_replayed_by_its_own_clock_and_the_status_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = ["--config", str(folder / "agent.toml")]
    done = loopcast_edge("run", *configuration)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is ignored") == 4
    lines = [json.loads(text) for text in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["time"] for line in lines] == [
        FIRST + number * STEP_S * 1000 for number in range(200)
    ]
    assert lines[100]["outputs"]["mean"] == pytest.approx(20.001)
    assert main(["status", *configuration, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["running"], status["root"]) == (False, 1)
    assert status["outbox"]["waiting"] + 500 * status["outbox"]["pending"] >= 400
    [package] = status["reported"]["packages"]
    assert (package["stage"], package["predictions"]) == ("running", 200)
    assert status["places"]["demand@"]["active"] == package["manifest"]
    assert main(["status", *configuration]) == 0
    assert "meter-7: not running" in capsys.readouterr().out


def test_a_status_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agent.toml").write_text('device = "a"\nstate = "state"')
    assert main(["status", "--config", str(tmp_path / "agent.toml")]) == 0
    assert "not running" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_what_cannot_be_used_has_an_exit_code_of_its_own(folder: Path) -> None:
    path = folder / "agent.toml"
    path.write_text("device = 7")
    done = loopcast_edge("run", "--config", path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("loopcast-edge: ")
    path.write_text(SETTINGS.replace('"package"', '"nowhere"'))
    assert loopcast_edge("run", "--config", path).returncode == 78
    path.write_text(SETTINGS.replace('"root"', '"nowhere"'))
    done = loopcast_edge("run", "--config", path)
    assert done.returncode == 78
    assert "nowhere: No such file or directory; 'loopcast-edge enrol' writes it" in done.stderr


def test_an_end_that_the_agent_can_explain_is_blamed_on_no_model(folder: Path) -> None:
    """A service manager starts it again and again; a model with which it died would be left."""
    path = folder / "agent.toml"
    path.write_text(SETTINGS.replace("day.jsonl", "night.jsonl"))
    for _ in range(2):
        done = loopcast_edge("run", "--config", path)
        assert done.returncode == 1
        assert "night.jsonl: No such file" in done.stderr
    [place] = status(read(path))["places"].values()
    assert place["active"] is not None
    assert place["crashes"] == 0


def test_simulate_has_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["simulate", "--help"])
    assert stopped.value.code == 0
    assert "--until-running" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["status", "--devices", "3"])
    assert stopped.value.code == 2


def test_two_agents_do_not_work_with_one_folder(folder: Path) -> None:
    (folder / "state").mkdir()
    with (folder / "state" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = loopcast_edge("run", "--config", folder / "agent.toml")
    assert done.returncode == 75
    assert "another agent" in done.stderr
