"""What a chart shows, as data; the page's script draws it.

Colours are *roles*, which the style sheet gives a colour in light, dark and print: ``actual``,
``model``, ``reference``, ``other-1`` to ``other-3`` for baselines and ``level-1`` to ``level-7``
for categories. Charts hold plain lists, so that their data is readable in the page's source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec
import pandas as pd

from loopcast.web.formats import decimals, number

Numbers = Sequence[float | None]

LEVELS = 7
OTHERS = 3
BREAK_SECONDS = 7_200


def compact(values: Iterable[float], significant: int = 6) -> list[float | None]:
    """Return values rounded to significant digits, and ``None`` for what is not finite.

    Examples
    --------
    >>> compact([8123.45678, float("nan"), 0.0])
    [8123.46, None, 0.0]
    """
    return [float(f"{value:.{significant}g}") if math.isfinite(value) else None for value in values]


def values_on(values: pd.Series[float], index: pd.DatetimeIndex) -> list[float | None]:
    """Return a series' values at the times of an index, ``None`` where it has none."""
    return compact(values.reindex(index).to_numpy(dtype=float).tolist())


def builtins_of(chart: object) -> dict[str, Any]:
    """Return a chart as mappings, lists, text and numbers."""
    found: dict[str, Any] = msgspec.to_builtins(chart)
    return found


def level_role(index: int) -> str:
    """Return the role of a category; they repeat after seven."""
    return f"level-{index % LEVELS + 1}"


def other_role(index: int) -> str:
    """Return the role of a baseline; they repeat after three."""
    return f"other-{index % OTHERS + 1}"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A local day on a time axis from which the days between are left out.

    Attributes
    ----------
    time
        Its first second since 1970.
    start, end
        Where it is drawn, in seconds.
    """

    time: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A horizontal or vertical axis.

    Attributes
    ----------
    kind
        ``time`` for seconds since 1970 in UTC, ``clock`` for hours of the day, else ``number``.
    values
        Positions of the data.
    offsets
        For a time axis: from which second on which offset of local time in seconds holds, and
        its abbreviation.
    segments
        For a time axis: days drawn one after the other. Times are drawn where they are when empty.
    """

    values: Numbers
    kind: Literal["time", "clock", "number"] = "number"
    title: str = ""
    unit: str = ""
    offsets: tuple[tuple[int, int, str], ...] = ()
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line, one value for each position of the horizontal axis."""

    label: str
    role: str
    values: Numbers


@dataclass(frozen=True, kw_only=True)
class Band:
    """The area between two lines."""

    label: str
    role: str
    low: Numbers
    high: Numbers


@dataclass(frozen=True, kw_only=True)
class Range:
    """A part of the horizontal axis that a button shows."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """Lines and bands over one horizontal axis.

    Attributes
    ----------
    marks
        Positions of vertical lines, with their labels.
    ranges
        Parts that buttons show. All of it where empty.
    shown
        Position of the range to begin with; a narrow screen begins with the shortest.
    zero
        Whether the vertical axis starts at zero.
    """

    x: Axis
    title: str
    unit: str
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    ranges: tuple[Range, ...] = ()
    shown: int = 0
    zero: bool = False
    height: int = 260
    kind: Literal["lines"] = "lines"

    def data(self) -> dict[str, Any]:
        """Return what the page embeds."""
        return builtins_of(self)


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Values over two axes, coloured from below to above zero.

    Attributes
    ----------
    values
        One row for each position of ``y``.
    limit
        The size of value that has the full colour.
    """

    x: Axis
    y: Axis
    title: str
    unit: str
    values: tuple[Numbers, ...]
    limit: float
    height: int = 260
    kind: Literal["heat"] = "heat"

    @property
    def limit_text(self) -> str:
        """The limit as people read it."""
        return number(self.limit, decimals([self.limit], significant=3))

    def data(self) -> dict[str, Any]:
        """Return what the page embeds."""
        return builtins_of(self)


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One value of a dot plot, with its interval where it has one."""

    role: str
    label: str
    text: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class DotPlot:
    """Values of categories on a common scale, one row for each category.

    Drawn with HTML alone, so that it needs no script.

    Attributes
    ----------
    ends
        Texts of the ends of the scale; where they are given, single values have none.
    """

    rows: tuple[tuple[str, tuple[Dot, ...]], ...]
    unit: str = ""
    ends: tuple[str, str] = ("", "")
    kind: Literal["dots"] = "dots"

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the scale, which includes zero."""
        ends = [
            end
            for _, dots in self.rows
            for dot in dots
            for end in (dot.value, dot.low, dot.high)
            if end is not None
        ]
        low, high = min([0.0, *ends]), max([0.0, *ends])
        return (low, high) if high > low else (0.0, 1.0)

    def position(self, value: float) -> float:
        """Return where a value is, in percent of the scale's length."""
        low, high = self.limits
        return round(100 * (value - low) / (high - low), 2)


def day_segments(days: pd.DatetimeIndex) -> tuple[Segment, ...]:
    """Draw days one after the other, a thin break between those that are not consecutive.

    Parameters
    ----------
    days
        Local midnights in ascending order.

    Returns
    -------
    tuple of Segment
        One for each day; empty where all are consecutive and need no breaks.
    """
    following = days + pd.DateOffset(days=1)
    consecutive = following[:-1] == days[1:]
    if consecutive.all():
        return ()
    found: list[Segment] = []
    for first, end, adjacent in zip(days, following, [True, *consecutive], strict=True):
        length = int((end - first).total_seconds())
        start = (found[-1].end if found else 0) + (0 if adjacent else BREAK_SECONDS)
        found.append(Segment(time=int(first.timestamp()), start=start, end=start + length))
    return tuple(found)


def time_axis(index: pd.DatetimeIndex, segments: tuple[Segment, ...] = ()) -> Axis:
    """Return the time axis of an index with a time zone.

    Only the changes of the local offset are kept, so that days of 23 and 25 hours are right
    without a time zone database in the browser.
    """
    seconds = [int(time.timestamp()) for time in index]
    offsets: list[tuple[int, int, str]] = []
    for second, time in zip(seconds, index, strict=True):
        shift = time.utcoffset() or timedelta()
        entry = (int(shift.total_seconds()), time.tzname() or "")
        if not offsets or offsets[-1][1:] != entry:
            offsets.append((second, *entry))
    return Axis(
        values=seconds,
        kind="time",
        title=str(index.tz),
        offsets=tuple(offsets),
        segments=segments,
    )


def sparkline(values: Sequence[float]) -> str:
    """Return the points of a line drawing of 100 by 24 without axes, for an SVG polyline."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    span = (high - low) or 1.0
    last = max(len(values) - 1, 1)
    return " ".join(
        f"{100 * i / last:.1f},{22 - 20 * (value - low) / span:.1f}"
        for i, value in enumerate(values)
        if math.isfinite(value)
    )
