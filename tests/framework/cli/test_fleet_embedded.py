"""`loopcast fleet serve --embedded`: a whole fleet on one machine, without another program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from loopcast.api import graph as g
from loopcast.cli import loopcast
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.fleet.founding import found
from loopcast.fleet.overview import overview
from loopcast.fleet.packages import Contents, make_package
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import Golden, Measurement, Output, Recipe, Tensor, Trial, recipe

from ...edge.servers import free_port
from ..store.builders import logical_model, registration, version

BY = ("--by", "ann")
LOOPCAST = str(Path(sys.executable).with_name("loopcast"))


def doubling() -> Contents:
    """A model that says twice the temperature, kept after three predictions."""
    output = g.Linear(g.Features(), np.array([[2.0]]), np.zeros(1))
    features = np.array([[10.0], [20.0]])
    return Contents(
        model=write_tflite(g.Graph(features=("t",), output=output, outputs=("mean",))).content,
        recipe=Recipe(
            step_seconds=60,
            measurements=(Measurement(name="temperature"),),
            steps=(recipe.Number(name="t", of="temperature"),),
            features=("t",),
        ),
        outputs=(Output(name="mean", series="a"),),
        golden=(Golden(features=Tensor.of(features), output=Tensor.of(2.0 * features)),),
        trial=Trial(seconds=0, predictions=3),
    )


@pytest.fixture
def place(loopcast_home: Path) -> Iterator[Home]:
    """A founded fleet with a package."""
    home = open_home(loopcast_home)
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(1))])
    make_package(home, found(home), version(1), doubling(), by="ann")
    yield home
    home.catalog.close()


@contextmanager
def running(place: Home, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `loopcast fleet`; nothing outlives the block."""
    process = subprocess.Popen(
        [LOOPCAST, "fleet", *arguments],
        env={**os.environ, "LOOPCAST_HOME": str(place.folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what a process says, up to a line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            break
    return said


def kill_broker(centre: subprocess.Popen[str]) -> None:
    """Kill the only child of a centre."""
    found = subprocess.run(
        ["pgrep", "-P", str(centre.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(found.stdout), signal.SIGKILL)


def told(*arguments: str) -> None:
    result = CliRunner().invoke(loopcast, ["fleet", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_devices_run_a_package_that_came_through_it(place: Home, tmp_path: Path) -> None:
    """Though the broker was killed before, with all that it had kept."""
    port, lines = free_port(), tmp_path / "lines"
    lines.write_text("".join(f'{{"temperature": {t}}}\n' for t in range(10, 30)))
    devices = (
        "simulate", "--broker", f"mqtt://127.0.0.1:{port}", "--devices", "3", "--step-s", "60",
        "--measure", str(lines), "--measure-every", "0.1",
    )  # fmt: skip
    told("enrol", "add", *(f"sim-{number}" for number in range(3)), *BY)
    told("rollout", "first", "-m", "demand", "--cohorts", "1", "--health-only",
         *BY, "--reason", "r")  # fmt: skip
    with running(place, "serve", "--embedded", "--port", str(port)) as centre:
        said = said_until(centre, "serving the fleet")
        kill_broker(centre)
        said += said_until(centre, f"broker at port {port} died, and was started again")
        with running(place, *devices):
            told("watch", "first", "--timeout", "60")
        os.killpg(centre.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        said += centre.communicate(timeout=20)[0]
        assert centre.returncode == 0, said
    assert "whoever is on this machine may read and write everything" in said
    assert f"serving the fleet at mqtt://127.0.0.1:{port}" in said
    assert "first: complete, 3 of 3 devices are well" in said
    runs = [run for device in overview(place.catalog).devices for run in device.runs]
    assert [(run.sequence, run.stage) for run in runs] == [(1, "running")] * 3


def test_a_broker_that_dies_again_and_again_ends_the_centre(place: Home) -> None:
    with running(place, "serve", "--embedded", "--port", str(free_port())) as centre:
        said_until(centre, "serving the fleet")
        for _ in range(2):
            kill_broker(centre)
            said_until(centre, "was started again")
        kill_broker(centre)
        said = centre.communicate(timeout=20)[0]
    assert "died 3 times in 60 s, and is not started again" in said
    assert centre.returncode == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--embedded", "--broker", "mqtts://fleet.example:8883"], "leave --broker out"),
        (["--port", "1884"], "--port goes with --embedded"),
    ],
)
def test_it_is_not_another_broker(place: Home, arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(loopcast, ["fleet", "serve", *arguments])
    assert result.exit_code == 2
    assert reason in result.output
