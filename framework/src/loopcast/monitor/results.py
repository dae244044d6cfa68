"""What came of the predictions of a family, in one pass over what served and its outcomes.

Whatever is compared in each of a thousand segments is found by chance in some of them: p-values
of each kind of finding are adjusted over the family.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import false_discovery_control

from loopcast.api import ForecastSchema, LogicalModel, MetricDefinition, Segment, VersionId
from loopcast.monitor import business, calibration, intervals
from loopcast.monitor.business import KpiCourse
from loopcast.monitor.calibration import Large, calibration_in_the_large
from loopcast.monitor.counted import used
from loopcast.monitor.counting import hours_of
from loopcast.monitor.findings import Moved
from loopcast.monitor.intervals import IntervalCoverage, interval_coverage
from loopcast.monitor.kpi import RESULT_COLUMNS, by_segment, moved_kpis
from loopcast.monitor.missing import Missing, missing_answers, missing_forecasts
from loopcast.monitor.performance import Labelled, labelled_events
from loopcast.monitor.plan import Plan
from loopcast.monitor.strange import Strange, strange_outcomes
from loopcast.monitor.summed import known_outcomes
from loopcast.store.event_table import once
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What is asked of a family.

    Attributes
    ----------
    versions
        Whose performance, intervals and scores are judged in each segment.
    days
        In UTC, all of them over.
    at
        Now.
    """

    model: LogicalModel
    kpi: MetricDefinition | None
    plan: Plan
    versions: Mapping[Segment, VersionId]
    days: pd.DatetimeIndex
    at: datetime

    def wants(self, kind: str) -> bool:
        """Whether the plan has a row for a kind of alert."""
        return kind in self.plan.rules


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """What was found in each segment; of intervals, scores and KPIs only what is no chance."""

    moved: Mapping[Segment, Moved] = field(default_factory=dict)
    intervals: Mapping[tuple[Segment, float], IntervalCoverage] = field(default_factory=dict)
    calibration: Mapping[Segment, Large] = field(default_factory=dict)
    strange: Mapping[Segment, Strange] = field(default_factory=dict)
    missing: Mapping[Segment, Missing] = field(default_factory=dict)
    business: Mapping[tuple[Segment, str], KpiCourse] = field(default_factory=dict)


def family_results(asked: Asked, home: Home) -> Results:
    """Join what served with its outcomes once, and look at each segment."""
    model, truth = asked.model, known_outcomes(home, asked.model)
    forecasts = isinstance(model.schema, ForecastSchema) and asked.wants("missing_predictions")
    if not (truth.num_rows or forecasts or (model.watch and asked.wants("business_kpi"))):
        return Results()
    columns = [*RESULT_COLUMNS, *(["inputs", "input_texts"] if _of_input(model) else [])]
    start, end = hours_of(asked.days[0].date())[0], hours_of(asked.days[-1].date())[1]
    events = home.events.read(model.name, start, end, columns=columns)
    served = once(used(events))
    joined = join(served, truth, task=model.task)
    own = _own(joined, asked)
    return Results(
        moved=moved_kpis(home, model, asked.kpi, asked.versions, own) if asked.kpi else {},
        intervals=_intervals(own, asked),
        calibration=_calibration(own, asked),
        strange=_strange(own, asked),
        missing=_missing(served, truth, asked, home),
        business=_business(joined, asked, home),
    )


def _of_input(model: LogicalModel) -> bool:
    return any(kpi.of.startswith("input.") for kpi in model.watch.values())


def _own(joined: pa.Table, asked: Asked) -> dict[Segment, Labelled]:
    """Return the labelled events of the version of each segment."""
    versions = pa.array(list(asked.versions.values()))
    labelled = labelled_events(joined.filter(pc.is_in(joined["version"], versions)), asked.model)
    return {name: labelled.take(rows) for name, rows in by_segment(labelled.segment)}


def _intervals(
    own: Mapping[Segment, Labelled], asked: Asked
) -> dict[tuple[Segment, float], IntervalCoverage]:
    if not asked.wants("coverage"):
        return {}
    found = {
        (segment, each.nominal): each
        for segment, labelled in own.items()
        for each in interval_coverage(labelled)
    }
    return no_chance(found, lambda each: each.p_value, intervals.CHANCE)


def _calibration(own: Mapping[Segment, Labelled], asked: Asked) -> dict[Segment, Large]:
    if not asked.wants("calibration"):
        return {}
    found = {
        segment: large
        for segment, labelled in own.items()
        if (large := calibration_in_the_large(labelled, asked.model, asked.at))
    }
    return no_chance(found, lambda each: each.p_value, calibration.CHANCE)


def _strange(own: Mapping[Segment, Labelled], asked: Asked) -> dict[Segment, Strange]:
    if not asked.wants("bad_day"):
        return {}
    share = asked.plan.threshold("bad_day")
    found = {segment: strange_outcomes(labelled, share) for segment, labelled in own.items()}
    return {segment: strange for segment, strange in found.items() if strange is not None}


def _missing(served: pa.Table, truth: pa.Table, asked: Asked, home: Home) -> dict[Segment, Missing]:
    model = asked.model
    if not asked.wants("missing_predictions"):
        return {}
    start, end = asked.days[0], asked.days[-1] + timedelta(days=1)
    if isinstance(model.schema, ForecastSchema):
        rows = by_segment(served["segment"].to_numpy())
        keys = served.select(["key"])
        schema = model.schema
        return {
            name: missing_forecasts(keys.take(pa.array(own)), schema, end) for name, own in rows
        }
    observed = truth["observed"]
    inside = pc.and_(
        pc.greater_equal(observed, pa.scalar(start, observed.type)),
        pc.less(observed, pa.scalar(end, observed.type)),
    )
    recent = truth.filter(inside)
    # An outcome of these days may belong to a prediction of long ago.
    predicted = home.events.read(model.name, columns=["segment", "key"])
    return missing_answers(predicted, recent)


def _business(joined: pa.Table, asked: Asked, home: Home) -> dict[tuple[Segment, str], KpiCourse]:
    if not asked.wants("business_kpi"):
        return {}
    courses = business.watched_kpis(home, asked.model, joined, asked.days, list(asked.versions))
    found = {(segment, each.name): each for segment, own in courses.items() for each in own}
    return no_chance(found, lambda each: each.p_value, business.CHANCE)


Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


def no_chance(
    found: Mapping[Key, Found], p_value: Callable[[Found], float], chance: float
) -> dict[Key, Found]:
    """Return what is no chance, by p-values that are adjusted over all of it.

    Source: Y. Benjamini and Y. Hochberg (1995), JRSS B 57.
    """
    if not found:
        return {}
    adjusted = false_discovery_control([p_value(each) for each in found.values()])
    return {
        key: each for (key, each), p in zip(found.items(), adjusted, strict=True) if p <= chance
    }
