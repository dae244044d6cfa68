"""What is wrong with the events of the last day of a family, in each of its segments.

A month hides a poisoned day, and a family a poisoned segment: the values of that day alone are
set beside the training, and p-values are adjusted over all segments. How much rows of a day
resemble each other is what the days before it show: one day cannot tell, and a poisoned one
would say that anything may happen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from loopcast.api import Alert, Drift, Segment
from loopcast.monitor.compare import compare
from loopcast.monitor.daily import SUMS, Day, Group
from loopcast.monitor.drift import limits_of_day
from loopcast.monitor.family_drift import Counted, exceeding_in
from loopcast.monitor.odd_keys import OddKeys, together
from loopcast.monitor.signals import Subject, of_bad_day, of_odd_keys
from loopcast.monitor.sketch import Sketch
from loopcast.monitor.totals import Total, totals


def of_last_day(of: Subject, counted: Counted, last: Day, share: float) -> Iterator[Alert]:
    """Yield an alert for each segment with bad values, repeated events or odd keys.

    Values are those of the version that most of a segment's events are of.

    Parameters
    ----------
    of
        The family.
    last
        The last of the days that were counted.
    share
        From where on values or events count.
    """
    day, rows, most = counted.days[-1].to_pydatetime(), _rows(last), _most(counted, last)
    values = _values(counted, last, set(most.values()), share)
    odd = defaultdict[Segment, list[OddKeys]](list)
    for each in last.odd:
        odd[each.segment].append(each)
    for name in sorted({*values, *last.repeated, *odd}):
        again = last.repeated.get(name, 0)
        repeated = again / (rows[name] + again)
        version = most[name].version if name in most else None
        segment = replace(of, segment=name, version=version)
        yield from of_bad_day(segment, day, values.get(name, ()), repeated, share)
        strange = together(odd[name])
        of_all = sum(each.events for each in strange) / rows[name]
        yield from of_odd_keys(segment, day, strange, of_all, share)


def _rows(last: Day) -> Counter[Segment]:
    """Return how many events of the day each segment has, each counted once."""
    found = Counter[Segment]()
    for part in last.parts:
        for group, rows in zip(part.groups, part.rows.tolist(), strict=True):
            found[group.segment] += 0 if group.subset else rows
    return found


def _values(
    counted: Counted, last: Day, wanted: Collection[Group], share: float
) -> Mapping[Segment, Sequence[Drift]]:
    """Return what is missing or strange in each segment, far more than by chance."""
    limits, beside = limits_of_day(share), list(_beside(counted, last, wanted))
    compared = compare(
        [total for total, _ in beside],
        counted.references,
        counted.months,
        recent=[recent for _, recent in beside],
        measures_used=limits.inputs,
    )
    drifts = defaultdict[Segment, list[Drift]](list)
    for drift in exceeding_in(counted.logical_model, counted.days[-1:], compared, limits):
        drifts[drift.segment].append(drift)
    return drifts


def _beside(
    counted: Counted, last: Day, wanted: Collection[Group]
) -> Iterator[tuple[Total, Sketch]]:
    """Yield some groups as the days before the last one show them, and their rows of this one."""
    day = counted.days[-1].date()
    span = {
        group: (total, n)
        for total in counted.total
        for n, group in enumerate(total.groups)
        if group in wanted
    }
    for alone in totals([(day, last)], day, day):
        mine = alone.take([n for n, group in enumerate(alone.groups) if group in wanted])
        if mine.groups:
            # Groups with equally many inputs are in one total, of a day as of all days.
            total = span[mine.groups[0]][0].take([span[group][1] for group in mine.groups])
            yield total.without(mine), mine.sketch


def _most(counted: Counted, last: Day) -> dict[Segment, Group]:
    """Return of each segment the group that most events of the last day are in.

    Only those of a version with a reference count: all others have nothing to be compared with.
    """
    most: dict[Segment, tuple[int, Group]] = {}
    for part in last.parts:
        for group, rows in zip(part.groups, part.rows.tolist(), strict=True):
            known = group.version in counted.references and group.bins not in ("", SUMS)
            if known and not group.subset and rows > most.get(group.segment, (0, group))[0]:
                most[group.segment] = rows, group
    return {segment: group for segment, (_, group) in most.items()}
