"""The program ``loopcast-edge``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

TOKEN = "LOOPCAST_TOKEN"
"""The environment's variable with an invitation."""


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
    enrol = commands.add_parser("enrol", help="Become a device of a fleet, by an invitation.")
    renew = commands.add_parser("renew", help="Get the next certificate, if it is time.")
    for command in (run, status, enrol, renew):
        command.add_argument("--config", type=Path, default=Path("agent.toml"), metavar="FILE")
    commands.add_parser("simulate", add_help=False, help="Run many agents in one process.")
    status.add_argument("--json", action="store_true", help="for programs")
    enrol.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"with the invitation; else it is taken from ${TOKEN}, or asked for",
    )
    renew.add_argument(
        "--within-days",
        type=float,
        default=60.0,
        metavar="DAYS",
        help="do nothing if the certificate holds longer than that (60)",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.run import run

    run(options.config)


def _status(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.settings import read
    from loopcast_edge.agent.status import status, text

    found = status(read(options.config))
    sys.stdout.write((json.dumps(found, indent=2) if options.json else text(found)) + "\n")


def _enrol(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.enrol import enrol
    from loopcast_edge.agent.settings import read

    settings = read(options.config)
    enrol(settings, _invitation(options.token_file))
    sys.stdout.write(f"{settings.device} is enrolled\n")


def _invitation(file: Optional[Path]) -> str:
    """Return an invitation, which no list of processes and no history of a shell shows."""
    from getpass import getpass

    from loopcast_edge.agent.errors import SettingsError

    if file is not None:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: the invitation cannot be read: {error}") from None
    given = os.environ.get(TOKEN)
    if given is None:
        return getpass("invitation: ") if sys.stdin.isatty() else sys.stdin.readline()
    return given


def _renew(options: argparse.Namespace) -> None:
    from loopcast_edge.agent.enrol import renew
    from loopcast_edge.agent.settings import read

    settings = read(options.config)
    renewed = renew(settings, options.within_days)
    said = "has a new certificate" if renewed else "needs no new certificate yet"
    sys.stdout.write(f"{settings.device} {said}\n")


COMMANDS = {"run": _run, "status": _status, "enrol": _enrol, "renew": _renew}
