"""What simulated devices measure: lines of one file for all, or of a file for each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

from loopcast_edge.agent.errors import SettingsError
from loopcast_edge.agent.source import parsed


class World(Protocol):
    """Where devices measure."""

    every_s: float
    """Seconds between two measurements of a device."""

    def line(self, device: int, number: int) -> Optional[dict[str, Any]]:
        """Return the measurement of this number of a device; ``None`` after the last."""


class Shared:
    """One file for all devices, each of which begins at a place of its own.

    Parameters
    ----------
    lines
        Values by the names of measurements; their times are left out.
    step_s
        Length of an interval of the models. Simulated intervals follow each other at once.
    every_s
        Seconds between two measurements of a device.
    """

    def __init__(self, lines: Sequence[Mapping[str, Any]], step_s: int, every_s: float) -> None:
        self._lines = [{k: v for k, v in line.items() if k != "time"} for line in lines]
        self._step_ms, self.every_s = step_s * 1000, every_s
        self._first = time.time_ns() // 1_000_000 // self._step_ms

    @classmethod
    def read(cls, path: Path, step_s: int, every_s: float) -> Shared:
        """Read a file of JSON lines; as :func:`read_lines` does."""
        return cls(read_lines(path), step_s, every_s)

    def line(self, device: int, number: int) -> dict[str, Any]:
        """Return the measurement of this number of a device."""
        values = self._lines[(device * 17 + number) % len(self._lines)]
        return {"time": (self._first + number) * self._step_ms, **values}


class Replay:
    """A file for each device, whose lines have times of their own.

    Parameters
    ----------
    lines
        Of each device.
    every_s
        Seconds between two measurements of a device.
    """

    def __init__(self, lines: Sequence[Sequence[Mapping[str, Any]]], every_s: float) -> None:
        self._lines, self.every_s = lines, every_s

    @classmethod
    def read(cls, folder: Path, names: Iterable[str], every_s: float) -> Replay:
        """Read ``NAME.jsonl`` of each device; as :func:`read_lines` does."""
        return cls([read_lines(folder / f"{name}.jsonl") for name in names], every_s)

    def line(self, device: int, number: int) -> Optional[dict[str, Any]]:
        """Return the measurement of this number of a device; ``None`` after the last."""
        lines = self._lines[device]
        return dict(lines[number]) if number < len(lines) else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines.

    Raises
    ------
    SettingsError
        If it cannot be read, or holds no measurements.
    """
    try:
        lines = [parsed(text) for text in path.read_bytes().splitlines() if text.strip()]
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    if not lines:
        raise SettingsError(f"{path}: there are no measurements in it")
    return lines
