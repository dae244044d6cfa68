"""What a state folder says of its device, whether or not the agent is running."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from loopcast_edge.agent.machine import Place
from loopcast_edge.agent.memory import Memory, place_name
from loopcast_edge.agent.run import LOCK, STATUS
from loopcast_edge.agent.settings import Settings
from loopcast_edge.agent.slots import Slots

COMING = ("fetching", "verifying")
_COUNTED = {"waiting": "waiting", "condensed": "waiting WHERE condensed", "pending": "batches"}
"""Rows of the outbox that are counted, by what they are called."""


def status(settings: Settings) -> dict[str, Any]:
    """Return what is known, ready for JSON; ``reported`` is what the agent last said of itself."""
    state = settings.state
    memory = Memory(state, None)
    timestamp = None if memory.trust is None else memory.trust.timestamp
    return {
        "device": settings.device,
        "running": _running(state),
        "root": None if memory.trust is None else memory.trust.root.version,
        "news_expire": None if timestamp is None else timestamp.expires,
        "desired": memory.desired,
        "outbox": _outbox(state / "outbox.sqlite"),
        "places": dict(_places(state / "places")),
        "reported": _reported(state / STATUS),
    }


def text(found: dict[str, Any]) -> str:
    """Return a status for people."""
    running = "running" if found["running"] else "not running"
    outbox = found["outbox"] or {"waiting": 0, "condensed": 0, "pending": 0}
    condensed = f" ({outbox['condensed']} condensed)" if outbox["condensed"] else ""
    lines = [
        f"{found['device']}: {running}, desired state {found['desired']}, root {found['root']}",
        f"outbox: {outbox['waiting']} rows waiting{condensed}, {outbox['pending']} batches without "
        "receipt",
    ]
    reported = found["reported"]["packages"] if found["reported"] else []
    named = [(place_name(each["logical_model"], each["segment"]), each) for each in reported]
    for name in dict.fromkeys([*found["places"], *(name for name, _ in named)]):
        place = found["places"].get(name, msgspec.to_builtins(Place()))
        lines.append(_slots(name, place))
        lines += [_coming(each) for of, each in named if of == name and each["stage"] in COMING]
        lines += [
            f"  {_short(each['manifest'])} {each['stage']}: {each['reason']}"
            for each in place["ended"]
        ]
    return "\n".join(lines)


def _slots(name: str, place: dict[str, Any]) -> str:
    trial = " on trial" if place["on_trial"] else ""
    shadow = f", shadow {_short(place['shadow'])}" if place["shadow"] else ""
    return f"{name}: {_short(place['active'])}{trial}, before {_short(place['previous'])}{shadow}"


def _coming(package: dict[str, Any]) -> str:
    """Say of a package that is on its way how far the agent last said that it was."""
    said = f"  {_short(package['manifest'])} {package['stage']} as {package['role']}"
    if package["stage"] == "fetching" and package["chunks"]:
        return f"{said}: {package['received']} of {package['chunks']} chunks"
    return said


def _short(digest: Any) -> str:
    return "nothing" if digest is None else str(digest)[:16]


def _running(state: Path) -> bool:
    try:
        with (state / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _outbox(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            counts = {
                name: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for name, table in _COUNTED.items()
            }
    except sqlite3.DatabaseError:
        return None
    return counts


def _places(folder: Path) -> Iterator[tuple[str, Any]]:
    for each in sorted(folder.glob("*@*")):
        yield each.name, msgspec.to_builtins(Slots(each).place())


def _reported(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
