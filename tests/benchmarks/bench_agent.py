"""What an agent costs on a device: memory over a month, start, size, and a line measured.

The month is 1,440 intervals that ``loopcast-edge run`` itself answers, in a process of its own,
with one model that is signed, proved and tried like all others, connected to a Mosquitto where a
centre receipts what it sends. Memory is read from the process at its first and its last day; the
interpreter, NumPy and the runtime alone are measured beside it. All have their bytecode cached, as
what was installed has: to compile it takes 5 MB more.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.brokers import running  # type: ignore[import-not-found]
from edge.centre import Centre, now_ms  # type: ignore[import-not-found]
from edge.resident import memory_mb, parsed_mb  # type: ignore[import-not-found]

import loopcast_edge
from loopcast_edge.wire import Trial, encode

GOALS = {"rss_mb": 50.0, "import_s": 0.6, "installed_mb": 150.0}
INSTALLED = (
    *("numpy", "paho-mqtt", "pynacl", "cffi", "pycparser", "msgspec", "ai-edge-litert"),
    *("flatbuffers", "protobuf", "ml-dtypes", "tqdm", "typing-extensions", "backports-strenum"),
)
MONTH = 30 * 48
STEP_MS = 60_000
EVERYTHING = "import loopcast_edge.agent.run, loopcast_edge.agent.runtime as r; r.runtime()"
FLOOR = (
    "import numpy\nfrom loopcast_edge.agent.runtime import runtime\nruntime()\n"
    "print(open('/proc/self/smaps_rollup').read())"
)


def run(scale: float) -> list[dict[str, Any]]:
    """Measure; the scale shortens the month to no less than two days."""
    lines = max(96, round(MONTH * scale))
    with tempfile.TemporaryDirectory() as bytecode:
        environment = _caching(bytecode)
        subprocess.run([sys.executable, "-c", EVERYTHING], check=True, env=environment)
        started = _start(max(3, round(10 * scale)), environment)
        return [*_month(lines, environment), started, _size()]


def _caching(folder: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def _month(lines: int, environment: dict[str, str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (broker, store):
        place = Path(folder)
        _write(place, broker.port)
        agent = subprocess.Popen(
            [sys.executable, "-m", "loopcast_edge", "run", "--config", str(place / "agent.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        first, last, cpu_s = _feed(agent, lines)
        stored = len(store.events())
    alone = parsed_mb(_output(FLOOR, environment))
    return [
        {
            "what": "memory",
            "days": lines / 48,
            "rss_mb": last["Rss"],
            "pss_mb": last["Pss"],
            "anonymous_mb": last["Anonymous"],
            "after_a_day_mb": first["Rss"],
            "growth_mb": last["Anonymous"] - first["Anonymous"],
            "alone_mb": alone["Rss"],
            "alone_anonymous_mb": alone["Anonymous"],
            "of_goal": last["Rss"] / GOALS["rss_mb"],
        },
        {"what": "line", "lines": lines, "stored": stored, "cpu_us": cpu_s / lines * 1e6},
    ]


def _output(program: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def _feed(
    agent: subprocess.Popen[bytes], lines: int
) -> tuple[dict[str, float], dict[str, float], float]:
    """Measure line by line; return memory after a day and at the end, and CPU seconds in all."""
    assert agent.stdin is not None
    assert agent.stdout is not None
    first: dict[str, float] = {}
    start = now_ms() // STEP_MS
    for number in range(lines):
        temperature = 15.0 + 10.0 * ((number % 48) / 48)
        line = {"time": (start + number) * STEP_MS, "temperature": temperature, "load": 40.0}
        agent.stdin.write(json.dumps(line).encode() + b"\n")
        agent.stdin.flush()
        agent.stdout.readline()
        if number == 47:
            first = memory_mb(agent.pid)
    last = memory_mb(agent.pid)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    agent.terminate()
    agent.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return first, last, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _write(folder: Path, port: int) -> None:
    """Lay out a device with a package that was brought by hand."""
    centre = Centre()
    package = centre.package(trial=Trial(seconds=0, predictions=2))
    (folder / "package").mkdir()
    (folder / "package" / "manifest").write_bytes(encode(package.envelope))
    (folder / "package" / "model.tflite").write_bytes(package.model)
    (folder / "root").write_bytes(encode(centre.root))
    (folder / "keys").write_bytes(centre.keys())
    (folder / "agent.toml").write_text(
        'device = "meter-7"\nstate = "state"\nroot = "root"\nkeys = "keys"\nlocal = ["package"]\n'
        'log_level = "error"\nuplink_s = 0.2\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\n'
    )


def _start(repeats: int, environment: dict[str, str]) -> dict[str, Any]:
    """CPU seconds to import all that ``run`` needs, the runtime too; the fastest of several."""
    best = min(_cpu_seconds(EVERYTHING, environment) for _ in range(repeats))
    floor = min(_cpu_seconds("pass", environment) for _ in range(repeats))
    return {"what": "import", "cpu_s": best, "python_s": floor, "of_goal": best / GOALS["import_s"]}


def _cpu_seconds(program: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _size() -> dict[str, Any]:
    """Megabytes of the distributions that a device gets, without Python."""
    own = Path(loopcast_edge.__file__).parent
    sizes = {name: _megabytes(name) for name in INSTALLED}
    sizes["loopcast-edge"] = sum(each.stat().st_size for each in own.rglob("*.*")) / 2**20
    total = sum(sizes.values())
    return {"what": "installed", "mb": total, "of_goal": total / GOALS["installed_mb"], **sizes}


def _megabytes(name: str) -> float:
    found = files(name) or ()
    paths = [Path(str(each.locate())) for each in found]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 2**20
