"""What every start costs, with all first-party plugins installed, against its budget."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

BUDGET = 0.4
COMMANDS = (("--help",), ("plugins",), ("run", "--cfg", "job"), ("models", "list", "--help"))
BUDGETED = COMMANDS[:2]


def run(scale: float) -> list[dict[str, Any]]:
    """Measure each command several times and keep the fastest, which noise disturbs least."""
    repeats = max(3, round(10 * scale))
    floor = min(_cpu_seconds(["-c", "pass"]) for _ in range(repeats))
    rows: list[dict[str, Any]] = [{"command": "python -c pass", "cpu_s": floor}]
    for command in COMMANDS:
        program = ["-c", "import loopcast.cli; loopcast.cli.main()", *command]
        best = min(_cpu_seconds(program) for _ in range(repeats))
        row = {"command": " ".join(("loopcast", *command)), "cpu_s": best, "python": best / floor}
        rows.append({**row, "of_budget": best / BUDGET} if command in BUDGETED else row)
    return rows


def _cpu_seconds(arguments: list[str]) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
