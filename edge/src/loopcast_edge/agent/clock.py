"""Local time on a device: what a calendar step of a recipe says of one interval."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from loopcast_edge.agent.errors import ModelError

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY_S = 86_400
NEXT_FROM = 180  # days since the last yearly date from which one counts until the next


class Moment(NamedTuple):
    """An interval's place in local time.

    Attributes
    ----------
    wall
        Local time at which it starts, or its middle where it is a day or longer.
    ahead_h
        Hours that the clock is ahead of standard time, the lower of its offsets on 1 January and
        1 July.
    """

    wall: datetime
    ahead_h: float

    @property
    def day(self) -> int:
        """Local date, as days since 1970-01-01."""
        return (self.wall.date() - EPOCH.date()).days

    @property
    def hour(self) -> float:
        """Wall clock, 0 to 24."""
        start = self.wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return (self.wall.replace(tzinfo=None) - start).total_seconds() / 3600


@lru_cache(maxsize=4096)  # a row looks at the days before it again and again
def moment(start_s: float, step_s: int, zone: str) -> Moment:
    """Place an interval that starts at a second since 1970-01-01 in UTC in local time.

    Raises
    ------
    ModelError
        If the device does not know the zone.
    """
    local = zone_of(zone)
    middle = step_s / 2 if step_s >= DAY_S else 0.0
    wall = (EPOCH + timedelta(seconds=start_s + middle)).astimezone(local)
    ahead = (wall.utcoffset() or timedelta()) - _standard(wall.year, zone)
    return Moment(wall, ahead.total_seconds() / 3600)


@lru_cache(maxsize=16)
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ModelError(
            f"this device does not know the zone {name!r}; install the system's tzdata"
        ) from None


@lru_cache(maxsize=64)
def _standard(year: int, zone: str) -> timedelta:
    local = zone_of(zone)
    days = (datetime(year, month, 1, tzinfo=local) for month in (1, 7))
    return min(day.utcoffset() or timedelta() for day in days)


def reading(what: str, at: Moment, holidays: Collection[int]) -> float:
    """Return what one of the recipe's clocks says; see ``recipe.Calendar``."""
    return CLOCKS[what](at, holidays)


def days_from(month: int, day: int, at: Moment) -> float:
    """Return days since (negative: until) the nearest yearly date; see ``recipe.DaysFrom``."""
    today = at.wall.date()
    last, following = _around(month, day, today)
    since = (today - last).days
    return float(since if since < NEXT_FROM else (today - following).days)


def _around(month: int, day: int, today: date) -> tuple[date, date]:
    """Return the last yearly date that has come, and the next."""
    this = _yearly(today.year, month, day)
    if this <= today:
        return this, _yearly(today.year + 1, month, day)
    return _yearly(today.year - 1, month, day), this


def _yearly(year: int, month: int, day: int) -> date:
    """Return a date of a year; one that it does not have counts on from the month's first."""
    return date(year, month, 1) + timedelta(days=day - 1)


def _day_of_year(at: Moment) -> float:
    wall = at.wall
    length = (date(wall.year + 1, 1, 1) - date(wall.year, 1, 1)).days
    return (wall.timetuple().tm_yday - 1 + at.hour / 24) / length


def _beside(at: Moment, holidays: Collection[int], days: int) -> float:
    return float(at.day + days in holidays and at.day not in holidays)


CLOCKS: dict[str, Callable[[Moment, Collection[int]], float]] = {
    "hour": lambda at, _: at.hour,
    "standard_hour": lambda at, _: (at.hour - at.ahead_h) % 24,
    "daylight_saving": lambda at, _: float(at.ahead_h > 0),
    "day_of_year": lambda at, _: _day_of_year(at),
    "weekday": lambda at, _: float(at.wall.weekday()),
    "day_type": lambda at, holidays: 6.0 if at.day in holidays else float(at.wall.weekday()),
    "holiday": lambda at, holidays: float(at.day in holidays),
    "day_before_holiday": lambda at, holidays: _beside(at, holidays, 1),
    "day_after_holiday": lambda at, holidays: _beside(at, holidays, -1),
}
