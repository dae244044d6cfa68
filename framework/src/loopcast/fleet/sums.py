"""Predictions of devices that ran out of space: what is known of them, for only sums of them came.

How many there were say the sums. What they were like, and how wrong, says the sketch that a device
sends of each day, in which all of its answers are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from loopcast.api import DeviceName, Segment, VersionId
from loopcast.store.uplinks import CONDENSED
from loopcast_edge.wire import Condensed, Errors, EventBatch, SketchDay, decode

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog

DAY_MS = 86_400_000
LONGEST = 400
"""Days that a sum is spread over at most: a clock that began in 1970 makes no more of them."""


class Member(NamedTuple):
    """A version of a segment on one device."""

    device: DeviceName
    segment: Segment
    version: VersionId


@dataclass(frozen=True, kw_only=True)
class Summed:
    """What a device had no space for on one day.

    Attributes
    ----------
    count
        Predictions of which only sums came.
    sketches
        What it has counted of the day, these and those that came whole; parts of a day add up.
    """

    count: int
    sketches: tuple[SketchDay, ...] = ()


SummedDay = Mapping[Member, Summed]


def condensed_days(catalog: Catalog, logical_model: str) -> dict[date, SummedDay]:
    """Return what is known of predictions of champions that came as sums alone, by day in UTC.

    A device sums by the hour, then by the day. Where even the sums of days are too many it sums up
    several days; over these, predictions are spread evenly.
    """
    counts = _counts(catalog, logical_model)
    sketches = _sketches(catalog, counts, logical_model)
    return {
        day: {
            member: Summed(count=count, sketches=tuple(sketches[day, member]))
            for member, count in of_day.items()
        }
        for day, of_day in counts.items()
    }


def errors_of(days: Iterable[SummedDay], segment: Segment) -> Errors:
    """Return the errors that devices have seen themselves of a segment on such days.

    They are of all outcomes that came to a device on a day, those of predictions that came whole
    included: whose they were, no sum says.
    """
    found = [
        sketch.errors
        for day in days
        for member, summed in day.items()
        if member.segment == segment
        for sketch in summed.sketches
    ]
    return Errors(
        n=sum(each.n for each in found),
        total=sum(each.total for each in found),
        absolute=sum(each.absolute for each in found),
        squares=sum(each.squares for each in found),
    )


def _counts(catalog: Catalog, logical_model: str) -> Mapping[date, Mapping[Member, int]]:
    found: defaultdict[date, Counter[Member]] = defaultdict(Counter)
    for uplink in catalog.kept_uplinks(CONDENSED):
        batch = decode(uplink.payload, EventBatch)
        for each in batch.condensed:
            source = batch.sources[each.source]
            if (source.logical_model, source.role) == (logical_model, "champion"):
                member = Member(uplink.device, source.segment, source.version)
                for day, count in _spread(each):
                    found[day][member] += count
    return found


def _sketches(
    catalog: Catalog, counts: Mapping[date, Mapping[Member, int]], logical_model: str
) -> Mapping[tuple[date, Member], list[SketchDay]]:
    """Return what champions have counted on days of which sums came."""
    wanted = {(day, member) for day, of_day in counts.items() for member in of_day}
    found: defaultdict[tuple[date, Member], list[SketchDay]] = defaultdict(list)
    devices = {member.device for _, member in wanted}
    for uplink in catalog.kept_uplinks("sketch", devices=devices) if devices else ():
        sketch = decode(uplink.payload, SketchDay)
        member = Member(uplink.device, sketch.segment, sketch.version)
        key = date(1970, 1, 1) + timedelta(days=sketch.day), member
        ours = (sketch.logical_model, sketch.role) == (logical_model, "champion")
        if ours and key in wanted:
            found[key].append(sketch)
    return found


def _spread(sums: Condensed) -> Iterator[tuple[date, int]]:
    """Yield the days of a sum and how many predictions each has, all of them together."""
    start = max(sums.start, sums.end - LONGEST * DAY_MS)
    length, before = sums.end + 1 - start, 0
    for day in range(start // DAY_MS, sums.end // DAY_MS + 1):
        passed = min((day + 1) * DAY_MS, sums.end + 1) - start
        until = sums.count * passed // length
        if until > before:
            yield date(1970, 1, 1) + timedelta(days=day), until - before
        before = until
