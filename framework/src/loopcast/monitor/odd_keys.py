"""Events of a forecast whose key no forecast has: nobody can tell which interval they are about.

Devices are refused such events when they come. Those that somebody else has logged are counted in
the volume, left out of whatever asks for their interval, and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from loopcast.api import ForecastSchema, LogicalModel, Segment, VersionId
from loopcast.store.event_keys import unreadable

LONGEST = 80
"""A key is shown up to here."""

_MOST = 5


@dataclass(frozen=True, order=True, kw_only=True)
class OddKeys:
    """Such events of one version in one segment.

    Attributes
    ----------
    example
        One of the keys.
    """

    segment: Segment
    version: VersionId
    events: int
    example: str


def odd_keys(events: pa.Table, model: LogicalModel) -> tuple[OddKeys, ...]:
    """Count the events of each segment and version whose key no forecast has."""
    if not isinstance(model.schema, ForecastSchema) or not events.num_rows:
        return ()
    odd = events.filter(pa.array(unreadable(events["key"])))
    by = ["segment", "version"]
    found = odd.group_by(by).aggregate([("key", "count"), ("key", "min")])
    rows = zip(*(found[name].to_pylist() for name in (*by, "key_count", "key_min")), strict=True)
    return tuple(
        sorted(
            OddKeys(segment=segment, version=version, events=count, example=key[:LONGEST])
            for segment, version, count, key in rows
        )
    )


def together(found: Iterable[OddKeys]) -> tuple[OddKeys, ...]:
    """Add up what several days say of a version, those with the most events first."""
    summed: dict[tuple[Segment, VersionId], OddKeys] = {}
    for each in sorted(found):
        known = summed.get((each.segment, each.version))
        events = each.events + (known.events if known else 0)
        summed[each.segment, each.version] = replace(known or each, events=events)
    return tuple(sorted(summed.values(), key=lambda each: -each.events))


def said(found: Sequence[OddKeys]) -> Iterator[str]:
    """Yield sentences, without their points, about each version; of many, about the first ones."""
    for each in found[:_MOST]:
        where = f" in {each.segment}" if each.segment else ""
        yield (
            f"{_events(each.events)} of version {each.version[:6]}{where} with a key that no "
            f"forecast has, such as {each.example!r}: counted in the volume, and in nothing that "
            "asks for an interval"
        )
    if rest := found[_MOST:]:
        yield f"and {_events(sum(each.events for each in rest))} of {len(rest):,} other versions"


def _events(count: int) -> str:
    return f"{count:,} event{'s' if count != 1 else ''}"
