"""Days that devices had no space for, in the counts that they have made of them themselves.

Of what gave way to newer events only sums come home. A device counts each day in the bins of the
version's reference too. Its counts stand in for all of its events of the day, those that came whole
included, if they are of exactly as many: then each answer was one event, and none is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import ForecastSchema, LogicalModel, VersionId
from loopcast.fleet.sums import Member, Summed, SummedDay
from loopcast.monitor.bins import MISSING, OTHER
from loopcast.monitor.counted import used
from loopcast.monitor.daily import Day, Group, Part
from loopcast.monitor.edge import drift_reference
from loopcast.monitor.reference import OUTPUT, Reference
from loopcast.monitor.resemblance import places
from loopcast.monitor.sketch import LOWEST, Sketch, empty
from loopcast.store.event_table import once
from loopcast_edge.wire import DaySketch, DriftReference, SketchDay, WireError, unpack_sketch

References = Mapping[VersionId, Reference]


def counted_by_devices(
    events: pa.Table, summed: SummedDay, references: References
) -> dict[Member, DaySketch]:
    """Return the counts of devices that stand in for their events of a day.

    Parameters
    ----------
    events
        Of the day, with their source.
    references
        Of the versions that have one.
    """
    whole = _whole(events)
    found = {
        member: _added_up(each.sketches, drift_reference(references[member.version]))
        for member, each in summed.items()
        if member.version in references and _of_as_many(each, whole.get(member, 0))
    }
    return {member: sketch for member, sketch in found.items() if sketch is not None}


def without(events: pa.Table, members: Sequence[Member]) -> pa.Table:
    """Return the events of a day but those that some devices have counted."""
    for device, segment, version in members:
        own = pc.and_(
            pc.equal(events["source"], f"device/{device}"),
            pc.and_(pc.equal(events["segment"], segment), pc.equal(events["version"], version)),
        )
        events = events.filter(pc.invert(own))
    return events


def with_devices(
    day: Day,
    counted: Mapping[Member, DaySketch],
    summed: SummedDay,
    references: References,
    model: LogicalModel,
) -> Day:
    """Add what devices have counted to a day that was counted without their events."""
    for member, sketch in counted.items():
        part = _part(member, sketch, summed[member], references[member.version], model)
        day = replace(day, parts=_merged(day.parts, part))
    return day


def _whole(events: pa.Table) -> Mapping[Member, int]:
    """Return how many events of each device came whole, each once."""
    columns = once(used(events)).select(["source", "segment", "version"]).to_pandas()
    counts = columns.astype(str).value_counts()
    return {
        Member(source.removeprefix("device/"), segment, version): int(count)
        for (source, segment, version), count in counts.items()
        if source.startswith("device/")
    }


def _of_as_many(summed: Summed, whole: int) -> bool:
    return sum(each.rows for each in summed.sketches) == summed.count + whole


def _added_up(sketches: Sequence[SketchDay], reference: DriftReference) -> DaySketch | None:
    """Return the parts of a day as one; ``None`` where they are in other bins."""
    if any(each.bins != reference.digest for each in sketches):
        return None
    try:
        parts = [unpack_sketch(reference, each.counts, each.moments) for each in sketches]
    except WireError:
        return None
    return reduce(add, parts)


def _part(
    member: Member, counted: DaySketch, summed: Summed, reference: Reference, model: LogicalModel
) -> Part:
    sketch = _sketch(counted, reference, model)
    order = places(reference.sketch.counts)
    group = Group(segment=member.segment, version=member.version, bins=reference.bins.digest)
    slowest = max(each.slowest_us for each in summed.sketches) / 1000.0
    return Part(
        groups=(group,),
        sketch=sketch,
        places=np.einsum("gib,gib->gi", sketch.counts[:, :, :MISSING], order),
        rows=np.array([sum(each.rows for each in summed.sketches)], dtype=np.int64),
        latency=np.array([slowest or np.nan]),
    )


def _sketch(counted: DaySketch, reference: Reference, model: LogicalModel) -> Sketch:
    """Lay the counts of a device out as ours.

    What has no answer has no outputs. Of a forecast that sums series up, outputs are those of the
    aggregates, which no device forecasts.
    """
    bins = reference.bins
    found = empty(len(bins.names), bins.numeric)
    found.moments[0] = counted.moments
    for place, (column, counts) in enumerate(
        zip(counted.reference.columns, counted.counts, strict=True)
    ):
        found.counts[0, place, : len(counts) - 1] = counts[:-1]
        if column.kind == "category":
            found.counts[0, place, len(counts) - 2] = 0.0
            found.counts[0, place, OTHER] = counts[-2]
        found.counts[0, place, MISSING] = counts[-1]
    outputs = np.array([name.startswith(OUTPUT) for name in bins.names])
    found.counts[0, outputs, MISSING] = 0.0
    if isinstance(model.schema, ForecastSchema) and model.schema.aggregates:
        _leave_out(found, outputs)
    found.squares[:] = found.total
    return found


def _leave_out(found: Sketch, columns: NDArray[np.bool_]) -> None:
    """Forget some columns of a sketch that nobody else has seen."""
    numbers = columns[: found.moments.shape[1]]
    found.counts[0, columns] = 0.0
    found.moments[0, numbers, :LOWEST] = 0.0
    found.moments[0, numbers, LOWEST:] = np.inf, -np.inf


def _merged(parts: Sequence[Part], more: Part) -> tuple[Part, ...]:
    """Add a group to the part that has it, or has groups of its shape, else as a new part."""
    [group] = more.groups
    if not any(group in part.groups for part in parts):
        return (*parts, more)
    return tuple(_plus(part, more) if group in part.groups else part for part in parts)


def _plus(part: Part, more: Part) -> Part:
    """Return a part with more rows of one of its groups."""
    at = part.groups.index(more.groups[0])
    _, inputs, _ = part.sketch.counts.shape
    spread = empty(inputs, part.sketch.moments.shape[1], len(part.groups))
    for own, theirs in (
        (spread.counts, more.sketch.counts),
        (spread.squares, more.sketch.squares),
        (spread.moments, more.sketch.moments),
    ):
        own[at] = theirs[0]
    rows, of_places, latency = part.rows.copy(), part.places.copy(), part.latency.copy()
    rows[at] += more.rows[0]
    of_places[at] += more.places[0]
    latency[at] = np.fmax(latency[at], more.latency[0])
    return replace(part, sketch=part.sketch + spread, rows=rows, places=of_places, latency=latency)
