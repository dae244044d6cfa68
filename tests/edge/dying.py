"""Runs the agent, and kills it at one step: ``dying.py MODULE.CLASS.FUNCTION before|after N …``."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from loopcast_edge.agent.cli import main


def die_at(target: str, when: str, number: int) -> None:
    """Have the process killed before or after the call of this number."""
    path, name = target.rsplit(".", 1)
    owner: Any = importlib.import_module("loopcast_edge." + path.rsplit(".", 1)[0])
    last = path.rsplit(".", 1)[1]
    owner = (
        getattr(owner, last)
        if hasattr(owner, last)
        else importlib.import_module(f"loopcast_edge.{path}")
    )
    original = getattr(owner, name)
    calls = 0

    def dying(*arguments: Any, **fields: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **fields)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


if __name__ == "__main__":
    die_at(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.exit(main(sys.argv[4:]))
