"""The program ``loopcast-edge``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a command; return the exit code.

    0 is well; 1 an error; 75 another agent in the same folder; 78 a configuration that cannot be
    used, on which a service manager should not restart it.
    """
    from loopcast_edge.agent.errors import EdgeError

    options, rest = _parser().parse_known_args(arguments)
    if options.command == "simulate":
        from loopcast_edge.simulate.__main__ import main as simulate

        return simulate(rest)
    if rest:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        COMMANDS[options.command](options)
    except EdgeError as error:
        sys.stderr.write(f"loopcast-edge: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loopcast-edge", description="The loopcast agent.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="Predict, and follow what the centre wants.")
    status = commands.add_parser("status", help="Say how it stands, also while it does not run.")
    for command in (run, status):
        command.add_argument("--config", type=Path, default=Path("agent.toml"), metavar="FILE")
    commands.add_parser("simulate", add_help=False, help="Run many agents in one process.")
    status.add_argument("--json", action="store_true", help="for programs")
    return parser


def _run(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.run import run

    run(options.config)


def _status(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.settings import read
    from loopcast_edge.agent.status import status, text

    found = status(read(options.config))
    sys.stdout.write((json.dumps(found, indent=2) if options.json else text(found)) + "\n")


COMMANDS = {"run": _run, "status": _status}
