"""How far the versions of a family have moved from their training, all segments at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from loopcast.api import Drift, Segment, VersionId
from loopcast.deploy.lookup import Serving
from loopcast.monitor.compare import Compared, compare
from loopcast.monitor.drift import Limits, Window, exceeding
from loopcast.monitor.reference import Reference
from loopcast.monitor.totals import Total


@dataclass(frozen=True, eq=False, kw_only=True)
class Counted:
    """What was counted of a family, and what it is compared with.

    Attributes
    ----------
    days
        In UTC, all of them over.
    total
        Their sum.
    references
        Of the versions that are judged or served on the last day, where they have one.
    """

    logical_model: str
    days: pd.DatetimeIndex
    total: Sequence[Total]
    references: Mapping[VersionId, Reference]

    @property
    def months(self) -> list[int]:
        """Calendar month of each day, from 0 to 11."""
        return list(self.days.month - 1)


def judged_versions(
    serving: Mapping[Segment, Serving], total: Sequence[Total]
) -> dict[Segment, VersionId]:
    """Return whose drift and KPI is looked at: the champion's, else of who served last."""
    last: dict[Segment, tuple[int, VersionId]] = {}
    for each in total:
        active = each.rows.shape[1] - 1 - (each.rows[:, ::-1] > 0).argmax(axis=1)
        for group, day in zip(each.groups, active, strict=True):
            last[group.segment] = max(last.get(group.segment, (-1, "")), (int(day), group.version))
    champions = {name: s.champion for name, s in serving.items() if s.champion is not None}
    return {name: version for name, (_, version) in last.items()} | champions


def compared_versions(
    total: Sequence[Total], judged: Mapping[Segment, VersionId]
) -> set[VersionId]:
    """Return whose reference is needed: of those that are judged, or served on the last day."""
    return {
        group.version
        for each in total
        for group, last_day in zip(each.groups, each.rows[:, -1], strict=True)
        if last_day or judged.get(group.segment) == group.version
    }


def family_drifts(
    counted: Counted, judged: Mapping[Segment, VersionId], limits: Limits
) -> list[Drift]:
    """Return what has drifted in which segment, its subpopulations included."""
    own = [
        each.take([n for n, g in enumerate(each.groups) if judged.get(g.segment) == g.version])
        for each in counted.total
    ]
    found = compare(own, counted.references, counted.months)
    return list(exceeding_in(counted.logical_model, counted.days, found, limits))


def exceeding_in(
    logical_model: str, days: pd.DatetimeIndex, found: Iterable[Compared], limits: Limits
) -> Iterator[Drift]:
    """Yield what counts among what was compared over some days."""
    start, end = days[0].to_pydatetime(), days[-1].to_pydatetime() + timedelta(days=1)
    for compared in found:
        windows = [
            Window(
                logical_model=logical_model,
                segment=group.segment,
                version=group.version,
                start=start,
                end=end,
                subset=group.subset,
            )
            for group in compared.groups
        ]
        yield from exceeding(compared.measured, windows, limits)
