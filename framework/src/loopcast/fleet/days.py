"""What days of the fleet were like, from the sketches that devices send."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from loopcast.api import VersionId, place_name
from loopcast_edge.wire import SketchDay, decode

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog

SPAN = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class FleetDay:
    """What a version did on one day, on all devices that ran it.

    Attributes
    ----------
    place
        Logical model and segment.
    role
        ``champion`` or ``shadow``.
    outcomes
        Predictions whose outcome the device has seen.
    error, bias
        Mean absolute and mean error of these; ``None`` where there are none.
    slowest_ms
        On the slowest device, 95 % of predictions took no longer.
    """

    day: date
    place: str
    version: VersionId
    role: str
    devices: int
    predictions: int
    outcomes: int
    error: float | None
    bias: float | None
    slowest_ms: float


Key = tuple[date, str, VersionId, str]


def fleet_days(catalog: Catalog) -> list[FleetDay]:
    """Return the days of which sketches came lately, the newest first."""
    parts: defaultdict[Key, list[tuple[str, SketchDay]]] = defaultdict(list)
    for uplink in catalog.kept_uplinks("sketch", datetime.now(UTC) - SPAN):
        sketch = decode(uplink.payload, SketchDay)
        place = place_name(sketch.logical_model, sketch.segment)
        day = date(1970, 1, 1) + timedelta(days=sketch.day)
        parts[day, place, sketch.version, sketch.role].append((uplink.device, sketch))
    ordered = sorted(parts, key=lambda key: (-key[0].toordinal(), *key[1:]))
    return [_day(key, parts[key]) for key in ordered]


def _day(key: Key, parts: Iterable[tuple[str, SketchDay]]) -> FleetDay:
    day, place, version, role = key
    devices, sketches = zip(*parts, strict=True)
    errors = [sketch.errors for sketch in sketches]
    outcomes = sum(each.n for each in errors)
    return FleetDay(
        day=day,
        place=place,
        version=version,
        role=role,
        devices=len(set(devices)),
        predictions=sum(sketch.rows for sketch in sketches),
        outcomes=outcomes,
        error=sum(each.absolute for each in errors) / outcomes if outcomes else None,
        bias=sum(each.total for each in errors) / outcomes if outcomes else None,
        slowest_ms=max(sketch.slowest_us for sketch in sketches) / 1000.0,
    )
