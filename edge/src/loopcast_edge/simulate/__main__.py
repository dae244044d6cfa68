"""``python -m loopcast_edge.simulate``: simulate devices, and print what they did as JSON.

The last line of the output sums up; with ``--every``, lines before it say how it goes.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional

import msgspec

from loopcast_edge import __version__
from loopcast_edge.agent.errors import EdgeError, SettingsError
from loopcast_edge.agent.runtime import runtime
from loopcast_edge.agent.settings import Broker, Settings
from loopcast_edge.simulate.device import Device
from loopcast_edge.simulate.fleet import Fleet
from loopcast_edge.simulate.scenario import SCENARIOS, Fate, Scenario
from loopcast_edge.simulate.world import Replay, Shared, World

QUIET_S = 3600.0
"""How often what has not changed is reported: devices report when something changes."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Simulate; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with _folder(options.state) as folder:
            _simulate(options, folder)
    except EdgeError as error:
        sys.stderr.write(f"simulate: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loopcast_edge.simulate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--devices", type=int, required=True, metavar="N")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--root", type=Path, required=True, help="the root of keys that they trust")
    parser.add_argument("--prefix", default="sim-", help="of the devices' names")
    parser.add_argument("--first", type=int, default=0, help="number of the first device")
    parser.add_argument("--state", type=Path, help="folder of their disks; a temporary one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenario", default="calm", help=f"{', '.join(SCENARIOS)}, or JSON")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--until-running", type=int, metavar="K", help="end when K packages run")
    parser.add_argument("--measure", type=Path, help="JSON lines that each device measures")
    parser.add_argument("--replay", type=Path, help="folder with NAME.jsonl, at times of their own")
    parser.add_argument("--step-s", type=int, default=1800, help="length of an interval")
    parser.add_argument("--measure-every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--every", type=float, help="say how it goes, so often", metavar="SECONDS")
    parser.add_argument("--report-s", type=float, default=QUIET_S, metavar="SECONDS")
    parser.add_argument("--uplink-s", type=float, default=5.0)
    for name in ("ca", "certificates"):
        parser.add_argument(f"--{name}", type=Path, help="of TLS; folder with NAME.pem, NAME.key")
    return parser


def _simulate(options: argparse.Namespace, folder: Path) -> None:
    runtime()
    world = _world(options)
    scenario = _scenario(options.scenario)
    started, cpu = time.monotonic(), time.process_time()
    devices = [_device(options, folder, scenario, number) for number in _numbers(options)]
    fleet = Fleet(devices, world)
    made_s = time.process_time() - cpu
    fleet.begin()
    running_s = _turn(fleet, options, started)
    summary = _summary(fleet, started, time.process_time() - cpu)
    fleet.end()
    _say({**summary, "making_cpu_s": made_s, "all_running_s": running_s})


def _world(options: argparse.Namespace) -> Optional[World]:
    """Return where devices measure."""
    if options.replay is not None:
        names = (f"{options.prefix}{number}" for number in _numbers(options))
        return Replay.read(options.replay, names, options.measure_every)
    if options.measure is not None:
        return Shared.read(options.measure, options.step_s, options.measure_every)
    return None


def _numbers(options: argparse.Namespace) -> range:
    """Return the numbers of the devices of this process."""
    return range(options.first, options.first + options.devices)


def _turn(fleet: Fleet, options: argparse.Namespace, started: float) -> Optional[float]:
    """Drive the loop to its end; return seconds until enough packages ran, if they did."""
    end = started + options.seconds
    say_at = started + (options.every or options.seconds)
    look_at = started
    cpu = time.process_time()
    while (now := time.monotonic()) < end:
        fleet.turn()
        if now >= say_at:
            say_at = now + options.every
            _say(_summary(fleet, started, time.process_time() - cpu))
        if options.until_running is not None and now >= look_at:
            look_at = now + max(0.2, 0.0002 * len(fleet.devices))
            if fleet.running() >= options.until_running:
                return now - started
    return None


def _device(options: argparse.Namespace, folder: Path, scenario: Scenario, number: int) -> Device:
    name = f"{options.prefix}{number}"
    settings = Settings(
        device=name,
        state=folder / name,
        root=options.root,
        uplink_s=options.uplink_s,
        report_s=options.report_s,
    )
    fate = Fate(scenario, options.seed, number)
    return Device(settings, _broker(options, name), fate, __version__)


def _broker(options: argparse.Namespace, name: str) -> Broker:
    host, _, port = options.broker.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"--broker {options.broker}: expected HOST:PORT")
    folder = options.certificates
    files: dict[str, Any] = {}
    if folder is not None:
        files = {"certificate": folder / f"{name}.pem", "key": folder / f"{name}.key"}
    return Broker(host=host, port=int(port), ca=options.ca, **files)


def _scenario(text: str) -> Scenario:
    if text in SCENARIOS:
        return SCENARIOS[text]
    try:
        return msgspec.json.decode(text, type=Scenario)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"--scenario {text}: neither one of {', '.join(SCENARIOS)} nor JSON: {error}"
        ) from None


def _summary(fleet: Fleet, started: float, cpu_s: float) -> dict[str, Any]:
    devices = fleet.devices
    return {
        "seconds": round(time.monotonic() - started, 3),
        "devices": len(devices),
        "connected": fleet.connected,
        "stages": dict(fleet.stages()),
        "predictions": fleet.predictions,
        "waiting": sum(device.outbox.waiting for device in devices),
        "pending": sum(device.outbox.pending for device in devices),
        "messages": sum(device.arrived for device in devices),
        "lost": sum(device.lost for device in devices),
        "churned": fleet.churned,
        "power_cuts": fleet.power_cuts,
        "cpu_s": cpu_s,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


@contextmanager
def _folder(path: Optional[Path]) -> Iterator[Path]:
    if path is not None:
        yield path
        return
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
