"""What simulated devices measure: the lines of a file, each device from a place of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loopcast_edge.agent.errors import SettingsError
from loopcast_edge.agent.source import parsed


class World:
    """Measurements for all devices.

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
    def read(cls, path: Path, step_s: int, every_s: float) -> World:
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
        return cls(lines, step_s, every_s)

    def line(self, device: int, number: int) -> dict[str, Any]:
        """Return the measurement of this number of a device."""
        values = self._lines[(device * 17 + number) % len(self._lines)]
        return {"time": (self._first + number) * self._step_ms, **values}
