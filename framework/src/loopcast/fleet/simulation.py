"""Simulated devices: real agents, many in each of a few processes, at the fleet's own broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loopcast.api import ConfigurationError, Device, DeviceName, LoopcastError
from loopcast.fleet.authority import Authority, make_identity
from loopcast.fleet.founding import authority_of
from loopcast.fleet.keyring import Keyring
from loopcast_edge.wire import encode

if TYPE_CHECKING:
    from loopcast.store.home import Home


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What is simulated.

    Attributes
    ----------
    devices, processes
        How many, and in how many processes.
    prefix
        What the names of devices begin with.
    seconds
        How long.
    seed, scenario
        Of the accidents: the name of a scenario, or JSON.
    measure
        JSON lines that each device measures; none where left out.
    replay
        In place of it: a folder with ``NAME.jsonl`` of each device, at times of their own.
    report_every
        Seconds between reports of a device, beside those of what has changed.
    step_s, measure_every
        Seconds of an interval in these, and how often one of them passes.
    labels
        Of devices that are enrolled now.
    """

    devices: int
    processes: int = 1
    prefix: str = "sim-"
    seconds: float = 60.0
    seed: int = 0
    scenario: str = "calm"
    measure: Path | None = None
    replay: Path | None = None
    step_s: int = 1800
    measure_every: float = 1.0
    report_every: float = 3600.0
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[DeviceName, ...]:
        """Names of the devices."""
        return tuple(f"{self.prefix}{number}" for number in range(self.devices))

    def shares(self) -> Iterator[tuple[int, int]]:
        """Yield first number and count of the devices of each process."""
        ends = [self.devices * part // self.processes for part in range(self.processes + 1)]
        for first, end in pairwise(ends):
            yield first, end - first


def enrol_simulated(place: Home, wanted: Simulation) -> int:
    """Enrol those of the devices that are not, and count them."""
    now, known = datetime.now(UTC), place.catalog.devices(wanted.names)
    new = [
        Device(name=name, enrolled=now, labels=dict(wanted.labels))
        for name in wanted.names
        if name not in known
    ]
    if new:
        place.catalog.enrol(new, by="simulation")
    return len(new)


def simulate(place: Home, ring: Keyring, url: str, wanted: Simulation) -> dict[str, Any]:
    """Run simulated devices, and return what they did, added up.

    Raises
    ------
    ConfigurationError
        When the URL is no broker's.
    LoopcastError
        When a process fails; what it said goes to standard error.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root").write_bytes(encode(ring.roots[0]))
        common = [*_common(url, wanted), "--root", str(folder / "root"), "--state", name]
        if url.startswith("mqtts://"):
            common += _certificates(folder, authority_of(place), wanted.names)
        commands = [
            [*common, "--first", str(first), "--devices", str(count)]
            for first, count in wanted.shares()
        ]
        with _started(commands) as processes:
            said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise LoopcastError("a process of simulated devices failed; it said why above")
    return _added_up(json.loads(text.strip().splitlines()[-1]) for text in said)


def _common(url: str, wanted: Simulation) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ConfigurationError(f"{url!r} is no broker; use mqtts://HOST:PORT or mqtt://HOST:PORT")
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    options = {
        "broker": f"{parts.hostname}:{port}",
        "prefix": wanted.prefix,
        "seconds": wanted.seconds,
        "seed": wanted.seed,
        "scenario": wanted.scenario,
        "step-s": wanted.step_s,
        "measure-every": wanted.measure_every,
        "report-s": wanted.report_every,
        "measure": wanted.measure,
        "replay": wanted.replay,
    }
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def _certificates(folder: Path, authority: Authority, names: Iterable[DeviceName]) -> list[str]:
    """Write a key and a certificate for each device, which are gone after the simulation."""
    (folder / "authority.crt").write_bytes(authority.pem)
    for name in names:
        own = make_identity(authority, name)
        (folder / f"{name}.key").write_bytes(own.key)
        (folder / f"{name}.pem").write_bytes(own.certificate)
    return ["--ca", str(folder / "authority.crt"), "--certificates", str(folder)]


@contextmanager
def _started(commands: Iterable[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Run processes; none outlives the block."""
    module = [sys.executable, "-m", "loopcast_edge.simulate"]
    processes = [
        subprocess.Popen([*module, *command], stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _added_up(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up what processes say: counts and seconds of work, and stages by name."""
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict):
                before = whole.get(name, {})
                whole[name] = _added_up([before, value])
            elif name in {"seconds", "all_running_s"}:
                whole[name] = max(filter(None, [whole.get(name), value]), default=None)
            else:
                whole[name] = whole.get(name, 0) + value
    return whole
