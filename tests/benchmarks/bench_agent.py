"""What an agent costs on a device: memory over a month, start, size, and a line measured.

The month is 1,440 intervals that ``loopcast-edge run`` itself answers, in a process of its own,
with one model that is signed, proved and tried like all others. Memory is read from the process at
its first and its last day; the interpreter, NumPy and the runtime alone are measured beside it.
All have their bytecode cached, as what was installed has: to compile it takes 5 MB more.
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

from edge.centre import Centre, now_ms  # type: ignore[import-not-found]

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
    "print(open('/proc/self/status').read())"
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
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write(place)
        agent = subprocess.Popen(
            [sys.executable, "-m", "loopcast_edge", "run", "--config", str(place / "agent.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        first, last, private, cpu_s = _feed(agent, lines)
    alone = _megabytes_of("VmRSS", _output(FLOOR, environment))
    return [
        {
            "what": "memory",
            "days": lines / 48,
            "rss_mb": last,
            "after_a_day_mb": first,
            "growth": last / first,
            "private_mb": private,
            "alone_mb": alone,
            "of_goal": last / GOALS["rss_mb"],
        },
        {"what": "line", "lines": lines, "cpu_us": cpu_s / lines * 1e6},
    ]


def _output(program: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def _feed(agent: subprocess.Popen[bytes], lines: int) -> tuple[float, float, float, float]:
    """Measure line by line.

    Returns
    -------
    tuple
        Memory after a day, at the end, and of it what no file backs; CPU seconds in all.
    """
    assert agent.stdin is not None
    assert agent.stdout is not None
    status = Path(f"/proc/{agent.pid}/status")
    first = 0.0
    start = now_ms() // STEP_MS
    for number in range(lines):
        temperature = 15.0 + 10.0 * ((number % 48) / 48)
        line = {"time": (start + number) * STEP_MS, "temperature": temperature, "load": 40.0}
        agent.stdin.write(json.dumps(line).encode() + b"\n")
        agent.stdin.flush()
        agent.stdout.readline()
        if number == 47:
            first = _megabytes_of("VmRSS", status.read_text())
    last, private = (_megabytes_of(name, status.read_text()) for name in ("VmRSS", "RssAnon"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    agent.terminate()
    agent.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return first, last, private, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _write(folder: Path) -> None:
    """Lay out a device that works alone, with a package that was brought by hand."""
    centre = Centre()
    package = centre.package(trial=Trial(seconds=0, predictions=2))
    (folder / "package").mkdir()
    (folder / "package" / "manifest").write_bytes(encode(package.envelope))
    (folder / "package" / "model.tflite").write_bytes(package.model)
    (folder / "root").write_bytes(encode(centre.root))
    (folder / "keys").write_bytes(centre.keys())
    (folder / "agent.toml").write_text(
        'device = "meter-7"\nstate = "state"\nroot = "root"\nkeys = "keys"\nlocal = ["package"]\n'
        'log_level = "error"\n'
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


def _megabytes_of(name: str, status: str) -> float:
    [line] = [line for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024
