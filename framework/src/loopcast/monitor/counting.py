"""Each finished day of events is counted once, into the store of daily sketches.

A day is counted again only if its events have changed: late ones were appended. To append the same
events again, to compact them or to kill a count leaves the same sketches. Rules for odd events:

- one that repeats segment, version, role, key and time of another counts once;
- a number that is not finite is missing, and an absurd one is outside the training;
- each counts on the day of its own time, when that day is over: one whose clock runs ahead waits,
  one whose clock runs behind makes its day be counted again;
- one of a forecast whose key no forecast has is in the volume, and in no bin;
- one that a device had no space for, and of which only sums came, is counted as the device has
  counted it, or where that cannot be told, in the volume of its day and in nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.api import LogicalModel, Segment, VersionId
from loopcast.fleet.sums import SummedDay, condensed_days
from loopcast.monitor.bins import MISSING, Floats
from loopcast.monitor.compare import read_references
from loopcast.monitor.counted import chosen_rows, count_rows, joined, subsets_of, used
from loopcast.monitor.daily import SUMS, DailySketches, Day, Group, Part, daily_sketches
from loopcast.monitor.devices import counted_by_devices, with_devices, without
from loopcast.monitor.odd_keys import odd_keys
from loopcast.monitor.reference import Reference
from loopcast.monitor.resemblance import places
from loopcast.monitor.sketch import empty
from loopcast.monitor.stack import Places
from loopcast.store.event_table import once

if TYPE_CHECKING:
    from loopcast.store.home import Home

_COLUMNS = ["key", "time", "source", "segment", "version", "role", "outputs", "output_texts",
            "inputs", "input_texts", "latency_ms", "inclusion", "propensity"]  # fmt: skip

References = Callable[[Iterable[VersionId]], Mapping[VersionId, Reference]]


def count_days(home: Home, sketches: DailySketches, model: LogicalModel, at: datetime) -> int:
    """Count every day that is over and whose events have changed; return how many these were.

    Parameters
    ----------
    at
        Now, with a time zone.
    """
    counted, references = sketches.fingerprints(model.name), _reader(home)
    condensed = condensed_days(home.catalog, model.name)
    stale = {
        day: fingerprint
        for day, fingerprint in _fingerprints(home, model, condensed).items()
        if day < at.astimezone(UTC).date() and counted.get(day) != fingerprint
    }
    for day, fingerprint in stale.items():
        events = home.events.read(model.name, *hours_of(day), columns=_COLUMNS)
        found = _count(events, model, references, condensed.get(day, {}))
        sketches.put(model.name, day, replace(found, fingerprint=fingerprint))
    return len(stale)


def _fingerprints(
    home: Home, model: LogicalModel, condensed: Mapping[date, SummedDay]
) -> dict[date, str]:
    """Return for each day a name of its events and of what came as sums."""
    found = home.events.fingerprints(model.name)
    for day, summed in condensed.items():
        said = sorted(
            (member, each.count, [(part.outbox, part.sequence) for part in each.sketches])
            for member, each in summed.items()
        )
        found[day] = sha256((found.get(day, "") + repr(said)).encode()).hexdigest()
    return found


def _count(events: pa.Table, model: LogicalModel, references: References, summed: SummedDay) -> Day:
    """Count the events of a day, and those that devices had no space for."""
    if not summed:
        return count_day(events, model, references)
    own = references(member.version for member in summed)
    counted = counted_by_devices(events, summed, own)
    day = count_day(without(events, list(counted)), model, references)
    rest: Counter[tuple[Segment, VersionId]] = Counter()
    for member, each in summed.items():
        if member not in counted:
            rest[member.segment, member.version] += each.count
    return _with_sums(with_devices(day, counted, summed, own, model), rest)


def _with_sums(day: Day, counts: Mapping[tuple[Segment, VersionId], int]) -> Day:
    """Add predictions of which only sums came: rows that no bin counts."""
    if not counts:
        return day
    groups = tuple(Group(segment=s, version=v, bins=SUMS) for s, v in sorted(counts))
    rows = np.array([counts[group.segment, group.version] for group in groups], dtype=np.int64)
    nothing = empty(0, 0, len(groups))
    part = Part(
        groups=groups,
        sketch=nothing,
        places=nothing.squares,
        rows=rows,
        latency=np.full(len(groups), np.nan),
    )
    return replace(day, parts=(*day.parts, part))


def segment_days(
    home: Home, model: LogicalModel, segment: Segment, span: tuple[date, date], at: datetime
) -> Iterator[tuple[date, Day]]:
    """Yield each day of a segment that has events, in order.

    Days that are over are read as they are counted, after :func:`count_days`. The others are
    counted from their events, and not stored.

    Parameters
    ----------
    span
        First and last day in UTC.
    at
        Now, with a time zone.
    """
    today, references, sketches = at.astimezone(UTC).date(), _reader(home), daily_sketches(home)
    count_days(home, sketches, model, at)
    for day, counted in sketches.read(model.name, *span):
        if day < today:
            yield day, counted.of(segment)
    condensed = condensed_days(home.catalog, model.name)
    for day in sorted(home.events.fingerprints(model.name).keys() | condensed):
        if max(span[0], today) <= day <= span[1]:
            hours = hours_of(day)
            events = home.events.read(model.name, *hours, segment=segment, columns=_COLUMNS)
            yield day, _count(events, model, references, condensed.get(day, {})).of(segment)


def hours_of(day: date) -> tuple[datetime, datetime]:
    """Return when a day begins and ends."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


def _reader(home: Home) -> References:
    """Return a reader of references that reads each of them once."""
    known = dict[VersionId, Reference]()

    def references(ids: Iterable[VersionId]) -> Mapping[VersionId, Reference]:
        known.update(read_references(home, set(ids) - known.keys()))
        return known

    return references


def count_day(events: pa.Table, model: LogicalModel, references: References) -> Day:
    """Count what served on one day.

    Parameters
    ----------
    references
        Returns the references of versions that have one.
    """
    served = used(events)
    distinct = once(served)
    members = _Members.of(distinct)
    found = references(members.version)
    layouts: dict[Hashable, list[int]] = {}
    for number, version in enumerate(members.version):
        layout = found[version].bins.layout if version in found else ()
        layouts.setdefault(layout, []).append(number)
    return Day(
        parts=tuple(_part(distinct, model, members.take(m), found) for m in layouts.values()),
        repeated=_repeated(served, distinct),
        odd=odd_keys(distinct, model),
    )


def _repeated(served: pa.Table, distinct: pa.Table) -> dict[Segment, int]:
    """Return by segment how many events repeat another."""
    if served.num_rows == distinct.num_rows:
        return {}
    logged, once_each = (
        Counter(
            {each["values"]: each["counts"] for each in table["segment"].value_counts().to_pylist()}
        )
        for table in (served, distinct)
    )
    return dict(logged - once_each)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Members:
    """Segments and versions of events; ``code`` says which one each is of, −1 for none of them."""

    segment: Sequence[str]
    version: Sequence[VersionId]
    code: Places

    @classmethod
    def of(cls, events: pa.Table) -> _Members:
        frame = events.select(["segment", "version"]).to_pandas()
        grouped = frame.groupby(["segment", "version"], sort=True)
        names = list(grouped.groups)
        return cls(
            segment=[str(segment) for segment, _ in names],
            version=[str(version) for _, version in names],
            code=grouped.ngroup().to_numpy(dtype=np.intp),
        )

    def take(self, members: Sequence[int]) -> _Members:
        """Return some of them, in the given order."""
        number = np.full(len(self.segment), -1, dtype=np.intp)
        number[members] = np.arange(len(members))
        return _Members(
            segment=[self.segment[i] for i in members],
            version=[self.version[i] for i in members],
            code=number[self.code],
        )


def _part(
    events: pa.Table,
    model: LogicalModel,
    members: _Members,
    references: Mapping[VersionId, Reference],
) -> Part:
    """Count the events of members that have the same inputs, or no reference at all."""
    inside = members.code >= 0
    mine, code = events.filter(pa.array(inside)), members.code[inside]
    own = [references[version] for version in members.version if version in references]
    bins = [each.bins.digest for each in own] or [""] * len(members.version)
    groups = tuple(
        Group(segment=s, version=v, bins=b)
        for s, v, b in zip(members.segment, members.version, bins, strict=True)
    )
    base = chosen_rows(mine, code, code)
    subsets = subsets_of(mine, own, base)
    smaller = tuple(replace(groups[member], subset=name) for member, name in subsets.names)
    more = replace(subsets.chosen, group=subsets.chosen.group + len(groups))
    everything, count = joined([base, more]), len(groups) + len(smaller)
    sketch, sums = empty(0, 0, count), np.zeros((count, 0))
    if own:
        sketch = count_rows(mine, model, own, base, count, inputs=everything)
        order = places(np.concatenate([each.sketch.counts for each in own]))
        of_group = np.array([*range(len(own)), *(member for member, _ in subsets.names)])
        sums = np.einsum("gib,gib->gi", sketch.counts[:, :, :MISSING], order[of_group])
    return Part(
        groups=(*groups, *smaller),
        sketch=sketch,
        places=sums,
        rows=np.bincount(everything.group, minlength=count),
        latency=_latency(mine["latency_ms"].to_numpy()[everything.row], everything.group, count),
    )


def _latency(milliseconds: Floats, group: Places, groups: int) -> Floats:
    """Return what 95 % of the answers of each group took at most, NaN where none was measured."""
    known = milliseconds > 0.0
    found = pd.Series(milliseconds[known]).groupby(group[known]).quantile(0.95)
    return np.asarray(found.reindex(range(groups)), dtype=np.float64)
