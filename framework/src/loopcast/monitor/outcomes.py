"""What came of the predictions of one segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ForecastSchema
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.monitor.business import KpiCourse, watched_kpis
from loopcast.monitor.calibration import Large, calibration_in_the_large
from loopcast.monitor.findings import Moved
from loopcast.monitor.intervals import IntervalCoverage, interval_coverage
from loopcast.monitor.kpi import measurable, moved, registered
from loopcast.monitor.missing import Missing, missing_answers, missing_forecasts, nothing_missing
from loopcast.monitor.performance import (
    Coverage,
    Labelled,
    Performance,
    labelled_events,
    overall_estimate,
    performance,
)
from loopcast.monitor.served import Served
from loopcast.monitor.strange import Strange, strange_outcomes
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What came of the predictions.

    Attributes
    ----------
    performance, coverage, missing, business, only_of_parts
        Of all that served; the last as of :class:`loopcast.monitor.performance.Labelled`.
    moved, intervals, calibration, strange
        Of the version alone, so that none answers for the one before it.
    """

    performance: tuple[Performance, ...]
    coverage: Coverage
    only_of_parts: bool
    moved: Moved | None
    intervals: tuple[IntervalCoverage, ...]
    calibration: Large | None
    strange: Strange | None
    missing: Missing
    business: tuple[KpiCourse, ...]


def outcomes_of(served: Served, home: Home) -> Outcomes:
    """Join what served with its outcomes, and look at it in every way that the plan may ask for."""
    watched = served.watched
    joined = join(served.events, served.truth, task=watched.model.task)
    labelled = labelled_events(joined, watched.model)
    own = labelled if served.version is None else labelled_events(served.own(joined), watched.model)
    metrics = measurable(watched.metrics, watched.model)
    kpis = watched_kpis(home, watched.model, joined, served.days, [watched.segment])
    return Outcomes(
        performance=tuple(performance(labelled, metrics, watched.every)),
        coverage=labelled.coverage,
        only_of_parts=labelled.only_of_parts,
        moved=_moved(served, own),
        intervals=interval_coverage(own),
        calibration=calibration_in_the_large(own, watched.model, served.at),
        strange=strange_outcomes(own, watched.plan.threshold("bad_day")),
        missing=_missing(served, home),
        business=kpis.get(watched.segment, ()),
    )


def _moved(served: Served, own: Labelled) -> Moved | None:
    """Return how the KPI of the version has moved since its contest."""
    kpi, version = served.watched.kpi, served.version
    if kpi is None or version is None or not measurable([kpi], served.watched.model):
        return None
    if not len(own.known):
        return None
    judged = read_judged(served.files[JUDGED_FILE], served.watched.model.task)
    return moved(
        version.id, registered(judged, served.watched.model, kpi), overall_estimate(own, kpi)
    )


def _missing(served: Served, home: Home) -> Missing:
    model, until = served.watched.model, pd.Timestamp(served.complete)
    if isinstance(model.schema, ForecastSchema):
        return missing_forecasts(served.events, model.schema, until)
    observed, truth = served.truth["observed"], served.truth
    inside = pc.and_(
        pc.equal(truth["segment"], served.watched.segment),
        pc.and_(
            pc.greater_equal(observed, pa.scalar(served.watched.start, observed.type)),
            pc.less(observed, pa.scalar(served.complete, observed.type)),
        ),
    )
    # An outcome of these days may belong to a prediction of long ago.
    predicted = home.events.read(
        model.name, segment=served.watched.segment, columns=["segment", "key"]
    )
    found = missing_answers(predicted, truth.filter(inside))
    return found.get(served.watched.segment, nothing_missing())
