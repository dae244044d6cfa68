"""Every segment of a logical model in one look: how it fares, the worst first, and why.

What is measured here comes from daily sketches, so that months of thousands of segments are
looked at without reading an event again; events are read once more for what came of them.
False alarms are controlled over the whole family: p-values of all segments, inputs and
subpopulations are adjusted together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
import pandas as pd

from loopcast.api import (
    Alert,
    Drift,
    LogicalModel,
    MetricDefinition,
    NotFoundError,
    Segment,
    VersionId,
)
from loopcast.deploy.lookup import Serving, look_up_all
from loopcast.monitor.common import gathered
from loopcast.monitor.compare import read_references
from loopcast.monitor.daily import DailySketches
from loopcast.monitor.family_drift import (
    Counted,
    compared_versions,
    family_drifts,
    judged_versions,
)
from loopcast.monitor.findings import Moved, of_drift, of_performance, of_traffic
from loopcast.monitor.last_day import of_last_day
from loopcast.monitor.odd_keys import OddKeys, together
from loopcast.monitor.plan import Plan, usual_plan
from loopcast.monitor.results import Asked, Results, family_results
from loopcast.monitor.signals import (
    Subject,
    of_business,
    of_calibration,
    of_intervals,
    of_missing,
    of_strange,
)
from loopcast.monitor.switched import of_switches
from loopcast.monitor.totals import daily_use, known_by_sums, totals
from loopcast.monitor.traffic import VOLUME_CHANCE, Traffic, traffic
from loopcast.monitor.unwatched import unwatched

if TYPE_CHECKING:
    from loopcast.store.home import Home

State = Literal["silent", "worse", "drifting", "unusual", "frozen", "off", "quiet"]
"""How a segment fares, the worst first: no predictions any more; a worse KPI, or intervals or
scores that do not hold; drifted inputs or outputs; another volume or latency than usual, or
predictions that are missing, or bad data; frozen or off by its switch; none of these."""

_RANK = {state: rank for rank, state in enumerate(get_args(State))}
_KINDS: dict[State, tuple[str, ...]] = {
    "worse": ("performance", "business_kpi", "coverage", "calibration"),
    "drifting": ("input_drift", "output_drift"),
    "unusual": ("volume", "latency", "missing_predictions", "bad_day"),
}
_SEVERITY = {"critical": 0, "warning": 1, "notice": 2}


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentReport:
    """How one segment fares.

    Attributes
    ----------
    version
        The champion; where there is none, the version that served last, or ``None``.
    state, reason
        The worst that was found, and why in a sentence; empty where it is quiet. A switch that
        says frozen or off hides nothing: what was found is in the other attributes.
    predictions
        What served in the span.
    last
        Last day with a prediction in the span; ``None`` where there was none.
    drifts
        Those that count, overall and by subpopulation (``subset``).
    moved
        The KPI in the contest of the version and now; ``None`` where it is not known.
    alerts
        What is worth telling, each with a suggested remedy.
    """

    segment: Segment
    version: VersionId | None
    state: State
    reason: str
    predictions: int
    last: date | None
    drifts: tuple[Drift, ...]
    moved: Moved | None
    alerts: tuple[Alert, ...]

    @property
    def worse(self) -> bool:
        """Whether the KPI is worse than in the contest, by more than matters, and no chance."""
        return any(alert.kind == "performance" for alert in self.alerts)


@dataclass(frozen=True, eq=False, kw_only=True)
class FamilyReport:
    """All segments of a logical model over a span of days.

    Attributes
    ----------
    first, last
        The days in UTC; the last one was over when it was looked at.
    segments
        The worst first.
    volume : ndarray, shape (days,)
        What served, of all segments.
    by_sums
        Of these, how many are known by sums only: the devices had no space for them.
    odd
        Those whose key no forecast has, by version.
    common
        What befalls so many segments that the family is told, and not each of them.
    unwatched
        Rows of the policy that nothing is looked for by, and why.
    """

    logical_model: LogicalModel
    first: date
    last: date
    segments: tuple[SegmentReport, ...]
    volume: np.ndarray
    by_sums: int
    odd: tuple[OddKeys, ...]
    common: tuple[Alert, ...]
    unwatched: Mapping[str, str]

    @property
    def counts(self) -> dict[State, int]:
        """How many segments fare how, the worst first; those that none does are left out."""
        found = Counter(report.state for report in self.segments)
        return {state: found[state] for state in get_args(State) if found[state]}

    @property
    def alerts(self) -> Mapping[Segment, Sequence[Alert]]:
        """Those of each segment, and under the empty name those of the family."""
        found = {report.segment: report.alerts for report in self.segments}
        return found | {"": (*self.common, *found.get("", ()))}


@dataclass(frozen=True, eq=False, kw_only=True)
class FamilyWatched:
    """What is watched of a family, and from where on a difference counts.

    Attributes
    ----------
    first, last
        Days in UTC; the last one has to be over.
    kpi
        The metric of the logical model's KPI; its performance is not looked at without.
    """

    model: LogicalModel
    first: date
    last: date
    kpi: MetricDefinition | None = None
    plan: Plan = field(default_factory=usual_plan)


def watch_family(
    watched: FamilyWatched, home: Home, sketches: DailySketches, at: datetime
) -> FamilyReport:
    """Look at every segment of a logical model.

    The days have to be counted before: :func:`loopcast.monitor.counting.count_days`.

    Parameters
    ----------
    at
        Now, for what is found.

    Raises
    ------
    NotFoundError
        When the logical model has no segment.
    """
    model, first, last = watched.model, watched.first, watched.last
    serving = look_up_all(home.catalog, model.name)
    total = totals(sketches.read(model.name, first, last), first, last)
    segments = sorted({*serving, *(group.segment for each in total for group in each.groups)})
    if not segments:
        raise NotFoundError(f"{model.name} has no segment; train a version first")
    days = pd.date_range(first, last, freq="D", tz="UTC")
    versions = judged_versions(serving, total)
    usage = traffic(days, *daily_use(segments, total, len(days)))
    counted = Counted(
        logical_model=model.name,
        days=days,
        total=total,
        references=read_references(home, compared_versions(total, versions)),
    )
    drifts = family_drifts(counted, versions, watched.plan.limits)
    asked = Asked(
        model=model,
        kpi=watched.kpi,
        plan=watched.plan,
        versions=versions,
        days=days,
        at=at,
    )
    results = family_results(asked, home)
    raised = (
        *_alerts(watched, (segments, usage), drifts, results, at),
        *_of_last_day(watched, counted, sketches, at),
    )
    common, alerts = gathered(watched.plan.addressed(raised), len(segments))
    switched = _switched(watched, serving.values(), days, at)
    found = _Found(
        days=days,
        usage=usage,
        serving=serving,
        versions=versions,
        drifts=_by_segment(drifts),
        moved=results.moved,
        alerts=_by_segment(alerts),
    )
    reports = [_segment(found, place, name) for place, name in enumerate(segments)]
    return FamilyReport(
        logical_model=model,
        first=first,
        last=last,
        segments=tuple(sorted(reports, key=_badness)),
        volume=usage.counts.sum(axis=0),
        by_sums=known_by_sums(total),
        odd=together(sketches.odd_keys(model.name, first, last)),
        common=(*common, *switched),
        unwatched=unwatched(watched.plan, model, watched.kpi, family=True),
    )


def _switched(
    watched: FamilyWatched, serving: Collection[Serving], days: pd.DatetimeIndex, at: datetime
) -> tuple[Alert, ...]:
    """Return the alert of many segments that were frozen or switched off in these days."""
    of = Subject(logical_model=watched.model.name, segment="", at=at)
    share = watched.plan.threshold("switches")
    found = of_switches(of, serving, days[0].to_pydatetime(), share)
    return watched.plan.addressed(found)


def _alerts(
    watched: FamilyWatched,
    used: tuple[Sequence[Segment], Traffic],
    drifts: Sequence[Drift],
    results: Results,
    at: datetime,
) -> Iterator[Alert]:
    plan, model = watched.plan, watched.model
    yield from of_drift(drifts, at)
    volume, latency = plan.chance("volume"), plan.chance("latency")
    yield from of_traffic(model.name, *used, at, volume=volume, latency=latency)
    for name, each in results.moved.items():
        least_change = plan.threshold("performance")
        yield from of_performance(model, name, each, at, least_change=least_change)
    yield from _of_results(results, plan, Subject(logical_model=model.name, segment="", at=at))


def _of_last_day(
    watched: FamilyWatched, counted: Counted, sketches: DailySketches, at: datetime
) -> Iterator[Alert]:
    if "bad_day" not in watched.plan.rules:
        return
    of = Subject(logical_model=watched.model.name, segment="", at=at)
    for _, day in sketches.read(watched.model.name, watched.last, watched.last):
        yield from of_last_day(of, counted, day, watched.plan.threshold("bad_day"))


def _of_results(results: Results, plan: Plan, of: Subject) -> Iterator[Alert]:
    for (name, _), held in results.intervals.items():
        yield from of_intervals(replace(of, segment=name), [held], plan.threshold("coverage"))
    for name, large in results.calibration.items():
        yield from of_calibration(replace(of, segment=name), large, plan.threshold("calibration"))
    for name, strange in results.strange.items():
        yield from of_strange(replace(of, segment=name), strange)
    for name, gone in results.missing.items():
        share = plan.threshold("missing_predictions")
        yield from of_missing(replace(of, segment=name), gone, share)
    for (name, _), course in results.business.items():
        share = plan.threshold("business_kpi")
        yield from of_business(replace(of, segment=name), [course], share)


def _badness(report: SegmentReport) -> tuple[int, int, int, str]:
    severity = min((_SEVERITY[alert.severity] for alert in report.alerts), default=3)
    return _RANK[report.state], severity, -len(report.alerts), report.segment


OfSegment = TypeVar("OfSegment", Alert, Drift)


def _by_segment(items: Iterable[OfSegment]) -> Mapping[Segment, list[OfSegment]]:
    found = defaultdict[Segment, list[OfSegment]](list)
    for item in items:
        found[item.segment].append(item)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class _Found:
    """What was found about all segments."""

    days: pd.DatetimeIndex
    usage: Traffic
    serving: Mapping[Segment, Serving]
    versions: Mapping[Segment, VersionId]
    drifts: Mapping[Segment, Sequence[Drift]]
    moved: Mapping[Segment, Moved]
    alerts: Mapping[Segment, Sequence[Alert]]

    def silent(self, place: int) -> bool:
        """Whether a segment had no events on the last day, which is unusual for it."""
        few = self.usage.p_volume[place] <= VOLUME_CHANCE
        return bool(few and not self.usage.counts[place, -1])


def _segment(found: _Found, place: int, name: Segment) -> SegmentReport:
    counts = found.usage.counts[place]
    active = np.flatnonzero(counts)
    last = found.days[active[-1]].date() if len(active) else None
    alerts = sorted(found.alerts.get(name, ()), key=lambda a: (_SEVERITY[a.severity], a.kind))
    state, reason = _state(found.serving.get(name), last, alerts, silent=found.silent(place))
    return SegmentReport(
        segment=name,
        version=found.versions.get(name),
        state=state,
        reason=reason,
        predictions=int(counts.sum()),
        last=last,
        drifts=tuple(found.drifts.get(name, ())),
        moved=found.moved.get(name),
        alerts=tuple(alerts),
    )


def _state(
    serving: Serving | None, last: date | None, alerts: Sequence[Alert], *, silent: bool
) -> tuple[State, str]:
    """Return the worst that is known of a segment, and why."""
    if serving is not None and serving.setting is not None and serving.switch != "on":
        switched: State = "off" if serving.switch == "off" else "frozen"
        since = f"since {serving.setting.since:%Y-%m-%d}"
        return switched, "; ".join([since, *(alert.cause for alert in alerts)])
    if last is None:
        return "silent", "no predictions in these days"
    if silent:
        return "silent", f"no predictions since {last}"
    for state, kinds in _KINDS.items():
        causes = [alert.cause for alert in alerts if alert.kind in kinds]
        if causes:
            more = f", and {len(causes) - 1} more" if len(causes) > 1 else ""
            return state, causes[0] + more
    return "quiet", ""
