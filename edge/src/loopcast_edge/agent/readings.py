"""What a device has measured lately: one value for each interval, as far back as recipes look."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Union

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Raw = Union[float, str, tuple[str, ...]]
NEVER = -(2**62)
DAY_S = 86_400
AHEAD = 96
"""Intervals ahead of the present for which what is known ahead is kept."""

LARGEST = 1e30
"""A number beyond it, as a broken sensor may say it, is none: sums of squares would be infinite."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A ring as it is on the disk."""

    step_s: int
    name: str
    intervals: tuple[int, ...]
    times: tuple[float, ...]
    values: tuple[Union[float, str, tuple[str, ...]], ...]


class Ring:
    """Values of one measurement in the last intervals, and in those ahead.

    Parameters
    ----------
    size
        Intervals that are kept; a new one takes the place of the oldest.
    """

    def __init__(self, size: int) -> None:
        self.intervals = np.full(size, NEVER, np.int64)
        self.times = np.zeros(size)
        self.values = np.full(size, np.nan, dtype=object)

    def write(self, interval: int, time: float, value: Raw, latest: float = math.inf) -> None:
        """Keep a value, unless a later one of its interval, or of a later interval, is there.

        What is of an interval after ``latest`` gives way: a clock ran ahead when it was kept.
        """
        cell = interval % len(self.intervals)
        there = self.intervals[cell]
        if there > latest or (interval, time) >= (there, self.times[cell]):
            self.intervals[cell], self.times[cell] = interval, time
            self.values[cell] = value

    def read(self, last: int, count: int) -> tuple[NDArray[np.object_], Floats]:
        """Return values and times of ``count`` intervals up to ``last``, NaN where none is."""
        wanted = np.arange(last - count + 1, last + 1)
        cells = wanted % len(self.intervals)
        there = self.intervals[cells] == wanted
        return np.where(there, self.values[cells], np.nan), np.where(
            there, self.times[cells], np.nan
        )

    def entries(self) -> Iterator[tuple[int, float, Any]]:
        """Give interval, time and value of all that is there."""
        for cell in np.flatnonzero(self.intervals != NEVER):
            yield int(self.intervals[cell]), float(self.times[cell]), self.values[cell]


class Readings:
    """Rings of all measurements, by the length of the interval and their name."""

    def __init__(self) -> None:
        self._rings: dict[tuple[int, str], Ring] = {}

    def keep(self, step_s: int, name: str, size: int) -> None:
        """Keep at least so many intervals of a measurement from now on."""
        old = self._rings.get((step_s, name))
        if old is not None and len(old.intervals) >= size:
            return
        ring = Ring(size)
        for entry in old.entries() if old is not None else ():
            ring.write(*entry)
        self._rings[step_s, name] = ring

    def write(self, time: float, values: dict[str, Raw], now_s: float = math.inf) -> None:
        """Keep what was measured at a second since 1970-01-01 in UTC.

        What was kept of intervals far ahead of both it and the clock, ``now_s``, gives way.
        """
        for (step_s, name), ring in self._rings.items():
            if name in values:
                latest = believed_until(time, now_s, step_s) / step_s
                ring.write(int(time // step_s), time, values[name], latest)

    def read(
        self, step_s: int, name: str, last: int, count: int
    ) -> tuple[NDArray[np.object_], Floats]:
        """Return values and times of ``count`` intervals up to ``last``; see :meth:`Ring.read`."""
        return self._rings[step_s, name].read(last, count)

    def dump(self) -> bytes:
        """Return all as bytes, so that a device that starts again knows what was."""
        return msgspec.msgpack.encode(
            [
                (step_s, name, *zip(*entries))
                for (step_s, name), ring in self._rings.items()
                if (entries := list(ring.entries()))
            ]
        )

    def restore(self, content: bytes) -> None:
        """Take in what :meth:`dump` returned.

        Raises
        ------
        msgspec.MsgspecError
            If it is damaged; nothing is taken in then.
        """
        for kept in msgspec.msgpack.decode(content, type=list[_Kept]):
            self.keep(kept.step_s, kept.name, max(len(kept.intervals), 1))
            ring = self._rings[kept.step_s, kept.name]
            for entry in zip(kept.intervals, kept.times, kept.values):
                ring.write(*entry)


def believed_until(time: float, now_s: float, step_s: int) -> float:
    """Return the second up to which something may be known ahead.

    Either may be wrong, the time of what was measured or the clock: the later one counts.
    """
    return max(time, now_s) + max(DAY_S, AHEAD * step_s)
