"""Numbers, intervals and times as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NBSP = "\N{NO-BREAK SPACE}"
MISSING = "–"

_STEP_WORDS = {
    "15min": ("quarter-hour", "quarter-hourly"),
    "30min": ("half-hour", "half-hourly"),
    "1h": ("hour", "hourly"),
    "1D": ("day", "daily"),
}

_PREFIXES = "kMGTP"
_POWERS_OF_UNITS = {
    small + unit: large + unit
    for unit in ("W", "Wh")
    for small, large in pairwise(["", *_PREFIXES])
}


def decimals(values: Iterable[float | None], significant: int = 4) -> int:
    """Return how many decimals give the largest value ``significant`` digits.

    One number of decimals for a whole column keeps its digits aligned.

    Examples
    --------
    >>> decimals([3.9146, 0.21]), decimals([8123.4, 12.0]), decimals([])
    (3, 0, 0)
    """
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value)]
    largest = max(sizes, default=0.0)
    if largest == 0.0:
        return 0
    return min(max(significant - 1 - math.floor(math.log10(largest)), 0), 8)


def number(value: float | None, places: int | None = None) -> str:
    """Return a number with thousands separators and a true minus sign.

    Parameters
    ----------
    value
        ``None``, NaN and infinities give a dash.
    places
        Decimals; four significant digits where it is left out.

    Examples
    --------
    >>> number(8123.44), number(-0.51234, 2), number(None)
    ('8,123', '−0.51', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{decimals([value]) if places is None else places}f}"
    return text.replace("-", "−") if text.strip("-0.,") else text.lstrip("-")


def quantity(value: float | None, unit: str, places: int | None = None) -> str:
    """Return a number with its unit, which stay on one line; a dash alone where there is none."""
    text = number(value, places)
    return f"{text}{NBSP}{unit}" if unit and text != MISSING else text


def interval(
    low: float | None, high: float | None, unit: str = "", places: int | None = None
) -> str:
    r"""Return an interval, with one unit and as many decimals at both ends.

    Examples
    --------
    >>> interval(5.8, 6.4).replace("\N{WORD JOINER}", ""), interval(-0.25, 0.5, places=2)
    ('5.800–6.400', '−0.25 to 0.50')
    """
    places = decimals([low, high]) if places is None else places
    ends = number(low, places), number(high, places)
    joined = (
        " to ".join(ends)
        if any(end.startswith("−") for end in ends)
        else "\N{WORD JOINER}–\N{WORD JOINER}".join(ends)
    )
    return f"{joined}{NBSP}{unit}" if unit else joined


def readable_unit(value: float, unit: str) -> tuple[float, str]:
    """Return the factor and the unit that bring a power or energy below a hundred thousand.

    Examples
    --------
    >>> readable_unit(442_389.0, "MWh"), readable_unit(5.3, "GW"), readable_unit(442_389.0, "items")
    ((0.001, 'GWh'), (1.0, 'GW'), (1.0, 'items'))
    """
    factor, names = 1.0, _POWERS_OF_UNITS
    while abs(value) * factor >= 1e5 and unit in names:
        factor, unit = factor / 1000, names[unit]
    return factor, unit


def percent(share: float | None, places: int = 1) -> str:
    """Return a share of one in percent.

    Examples
    --------
    >>> percent(0.0287).replace(NBSP, " ")
    '2.9 %'
    """
    return quantity(None if share is None else 100 * share, "%", places)


def day(time: pd.Timestamp) -> str:
    """Return the day: ``Thursday 1 January 2015``."""
    return f"{time:%A} {time.day} {time:%B %Y}"


def clock(time: pd.Timestamp, *, zone: bool = False) -> str:
    """Return the time of day, with the abbreviation of its zone where it is asked for."""
    return f"{time:%H:%M}{NBSP}{time.tzname()}" if zone else f"{time:%H:%M}"


def moment(time: pd.Timestamp) -> str:
    """Return day, time and zone: ``Thu 1 January 2015, 17:30 AEDT``."""
    return f"{time:%a} {time.day} {time:%B %Y}, {clock(time, zone=True)}"


def zone(time: pd.Timestamp) -> str:
    """Return the name of the time zone with its offset at ``time``."""
    offset = f"{time:%z}"
    return f"{time.tzinfo} ({time.tzname()}, UTC{offset[:3].replace('-', '−')}:{offset[3:5]})"


def duration(seconds: float) -> str:
    """Return a length of time.

    Examples
    --------
    >>> [duration(value).replace(NBSP, " ") for value in (0.0123, 12.34, 125.0)]
    ['0.01 s', '12.3 s', '2 min 5 s']
    """
    if seconds < 100:
        return quantity(seconds, "s", 2 if seconds < 1 else 1)
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{NBSP}min {rest}{NBSP}s"


def days(count: int) -> str:
    """Return a number of days: ``1 day``, ``7 days``."""
    return "1 day" if count == 1 else f"{count} days"


def scientific(value: float) -> str:
    """Return a very small or large number.

    Examples
    --------
    >>> scientific(3.61e-16).replace(NBSP, " "), scientific(0.0)
    ('3.6 × 10⁻¹⁶', '0')
    """
    if value == 0.0:
        return "0"
    digits, _, power = f"{value:.1e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}{NBSP}×{NBSP}10{raised}".replace("-", "−")


def step_noun(step: str) -> str:
    """Return what one interval is called: ``half-hour``."""
    return _STEP_WORDS.get(step, (f"interval of {step}", ""))[0]


def step_adjective(step: str) -> str:
    """Return what a series of such intervals is called: ``half-hourly``."""
    return _STEP_WORDS.get(step, ("", f"{step}-step"))[1]
