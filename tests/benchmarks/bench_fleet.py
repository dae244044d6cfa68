"""What a centre costs: a rollout to a thousand agents through catalog, broker and reports.

The agents are the real ones, simulated in one process; the centre is a process of its own, as
``loopcast fleet serve`` runs it. Time counts from the command that begins the rollout until the
catalog says that every device runs the package, and is well. CPU time is that of the centre.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from edge import models  # type: ignore[attr-defined]
from edge.brokers import Mosquitto  # type: ignore[import-not-found]
from framework.store.builders import (  # type: ignore[import-not-found]
    logical_model,
    registration,
    version,
)

from loopcast.api import Device, Rollout
from loopcast.fleet import rolling
from loopcast.fleet.founding import found
from loopcast.fleet.packages import Contents, make_package
from loopcast.fleet.rollout import standing
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import Golden, Measurement, Output, Recipe, Tensor, Trial, encode, recipe

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
DEVICES = 1000
GOAL_S = 5.0
PATIENCE_S = 300.0
PLAN = Rollout(
    name="everyone", logical_model="demand", segment="", sequence=1, cohorts=(1.0,), enough=1.0,
    tolerated=0.0, test=None,
)  # fmt: skip


def run(scale: float) -> list[dict[str, Any]]:
    """Measure a rollout; the scale shortens the fleet."""
    devices = max(20, round(DEVICES * scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder, "max_queued_messages 0\n", keeping=False)
        try:
            return [_rollout(folder, broker.port, devices)]
        finally:
            broker.kill()


def _rollout(folder: Path, port: int, devices: int) -> dict[str, Any]:
    place = _place(folder, devices)
    broker = f"mqtt://127.0.0.1:{port}"
    agents = (sys.executable, "-m", "loopcast_edge.simulate", "--devices", str(devices), "--broker",
              f"127.0.0.1:{port}", "--root", str(folder / "root"), "--seconds", "900")  # fmt: skip
    serve = (LOOPCAST, "fleet", "serve", "--home", str(place.folder), "--broker", broker)
    with _started(*serve) as centre, _started(*agents):
        _until(lambda: all(each.state for each in place.catalog.devices().values()))
        time.sleep(2.0)
        before, started = _cpu_s(centre.pid), time.monotonic()
        rolling.begin(place.catalog, PLAN, by="benchmark", reason="to measure")
        _until(lambda: standing(place.catalog.rollout(PLAN.name).steps).phase == "complete")
        seconds = time.monotonic() - started
        cpu_s = _cpu_s(centre.pid) - before
    return {
        "devices": devices,
        "all_well_s": seconds,
        "centre_cpu_ms_each": 1000 * cpu_s / devices,
        "of_goal_s": seconds / GOAL_S,
    }


def _place(folder: Path, devices: int) -> Home:
    """Return stores with a fleet and its first package, of 14 KB."""
    place = open_home(folder / "home")
    place.catalog.put_logical_model(logical_model())
    place.catalog.register([registration(version(1))])
    ring, now = found(place), datetime.now(UTC)
    place.catalog.enrol(
        [Device(name=f"sim-{number}", enrolled=now) for number in range(devices)], by="benchmark"
    )
    make_package(place, ring, version(1), _contents(), by="benchmark")
    (folder / "root").write_bytes(encode(ring.roots[0]))
    return place


def _contents() -> Contents:
    weights = np.random.default_rng(1).normal(size=3500).astype(np.float32)
    features = np.ones((1, 1))
    return Contents(
        model=models.linear([[2.0]], [0.0], padding=weights),
        recipe=Recipe(
            step_seconds=60,
            measurements=(Measurement(name="temperature"),),
            steps=(recipe.Number(name="t", of="temperature"),),
            features=("t",),
        ),
        outputs=(Output(name="mean", series="demand"),),
        golden=(Golden(features=Tensor.of(features), output=Tensor.of(2.0 * features)),),
        trial=Trial(seconds=0, predictions=0),
    )


def _until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the fleet did not get there in {PATIENCE_S:g} s")
        time.sleep(0.1)


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
