"""A disk that takes nothing more: predictions go on, nothing is blamed, and all is well afterwards.

A limit on the size of files stands for it, which every write meets, from within or from without.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.agent import files
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.settings import Sink
from loopcast_edge.agent.slots import Slots
from loopcast_edge.agent.source import Writer
from loopcast_edge.wire import Assembler, SketchDay, Trial

from .. import models
from ..centre import Centre
from .device import REFERENCE, Device, noise
from .test_killed import SETTINGS, lay_out


@contextmanager
def full(size: int = 0) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def actions(answers: list[list[Any]]) -> list[str]:
    return [line["action"] for each in answers for line in each]


def test_what_is_measured_is_answered_and_counted(
    device: Device, centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    package = centre.package(reference=REFERENCE)
    device.publish(package)
    device.want(1, package)
    answers = [device.measure(number, 20.0, 41.0) for number in range(5)]
    with full():
        for number in range(5, 10):
            answers.append(device.measure(number, 20.0, 41.0))
            device.run(120)
        assert device.measure(9, 20.0, 41.0) == [], "once"
    answers += [device.measure(number, 20.0, 41.0) for number in range(10, 15)]
    assert actions(answers) == ["served"] * 15
    said = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert len(said) == 1
    assert "predictions go on, and what it does not take is lost" in said[0]
    device.power_cut()
    device.seconds += 86_400
    device.run(40)
    [day] = {each.sequence: each for each in device.sent("up/sketch", SketchDay)}.values()
    assert (day.rows, day.errors.n) == (15, 15)
    assert len(device.events()) == len(set(device.events())) == 10


@pytest.mark.parametrize("step", range(1, 9))
def test_a_package_that_there_is_no_space_for_comes_when_there_is(
    device: Device, centre: Centre, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The disk is full from some step of its way on; what runs, runs on."""
    good = centre.package(1)
    model = models.linear([[2.0]], [0.002], padding=noise(500))
    better = centre.package(2, model=model, trial=Trial(seconds=0, predictions=1))
    device.publish(good)
    device.want(1, good)
    steps = 0

    def failing(act: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps >= step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return act(*arguments)

    def failing_method(self: Any, act: Callable[..., Any], *arguments: Any) -> Any:
        return failing(act, self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(files, "fill", partial(failing, files.fill))
        patch.setattr(Assembler, "add", partialmethod(failing_method, Assembler.add))
        patch.setattr(Assembler, "finish", partialmethod(failing_method, Assembler.finish))
        device.publish(better, chunk_size=1024)
        device.want(2, better)
        device.run(30)
        assert steps >= step
        assert device.measure(0, 20.0)[0]["version"] == good.manifest.version
    device.run(1500)
    device.measure(1, 20.0)
    assert device.state_of(better).stage == "running"
    assert device.measure(2, 20.0)[0]["version"] == better.manifest.version
    device.power_cut()
    assert device.measure(3, 20.0)[0]["version"] == better.manifest.version


def test_half_a_package_takes_no_space(tmp_path: Path, centre: Centre, device: Device) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(5000)))
    device.publish(package)
    with full(15_000):
        device.want(1, package)
        device.run(5)
    left = [each.name for each in (tmp_path / "state").rglob("*.new")]
    assert left == []
    device.run(1500)
    assert device.state_of(package).stage == "trial"


def test_an_outbox_that_cannot_be_opened_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox(path)
    name = outbox.id
    outbox.close()
    with full(), pytest.raises(sqlite3.OperationalError):
        Outbox(path)
    assert Outbox(path).id == name
    assert [each.name for each in tmp_path.iterdir() if "damaged" in each.name] == []


def test_predictions_end_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    writer = Writer(Sink(path=path, most_bytes=10_000), None)
    writer.write([{"key": "a"}])
    with full(path.stat().st_size + 5), pytest.raises(OSError, match="File too large"):
        writer.write([{"key": "b"}, {"key": "c"}])
    writer.write([{"key": "d"}])
    writer.close()
    assert path.read_text() == '{"key":"a"}\n{"key":"d"}\n'


def test_a_process_goes_on_and_starts_without_space(tmp_path: Path) -> None:
    """It begins, meets a full disk, is killed there, begins again there, and has space again."""
    lay_out(tmp_path)
    (tmp_path / "agent.toml").write_text(SETTINGS.partition("[source]")[0].replace("error", "info"))
    lines = (tmp_path / "lines.jsonl").read_text().splitlines()
    first = Fed(tmp_path)
    assert first.answers(lines[:5]) == ["served"] * 5
    first.limit(0)
    assert first.answers(lines[5:10]) == ["served"] * 5
    first.end(signal.SIGKILL)
    with full():
        second = Fed(tmp_path)
    assert second.answers(lines[10:15]) == ["served"] * 5
    second.limit(resource.RLIM_INFINITY)
    assert second.answers(lines[15:20]) == ["served"] * 5
    said = second.end(signal.SIGTERM)
    assert "Traceback" not in said
    assert "the outbox: disk I/O error; until the next start, it is in memory alone" in said
    third = Fed(tmp_path)
    assert third.answers(lines[20:25]) == ["served"] * 5
    assert "damaged" not in third.end(signal.SIGTERM)
    [folder] = (tmp_path / "state" / "places").iterdir()
    assert Slots(folder).place().ended == ()


class Fed:
    """An agent that reads standard input, and whose log does not go to the disk."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loopcast_edge", "run", "--config", str(folder / "agent.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def limit(self, size: int) -> None:
        """Let none of its files grow beyond a size."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def answers(self, lines: list[str]) -> list[str]:
        """Return what became of a few lines."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{each}\n" for each in lines))
        self._process.stdin.flush()
        return [json.loads(self._process.stdout.readline())["action"] for _ in lines]

    def end(self, number: int) -> str:
        """End it, and return what its log said."""
        self._process.send_signal(number)
        return self._process.communicate(timeout=20)[1]
