"""The KPI of each segment: now, of events whose outcome is known, and then, in its contest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from loopcast.api import (
    DecisionSettings,
    ForecastOutcome,
    Judged,
    LogicalModel,
    MetricDefinition,
    Outcome,
    ScoreOutcome,
    Segment,
    Version,
    VersionId,
    row_count,
    take,
)
from loopcast.deploy.bundle import read_file
from loopcast.develop.inference import Estimate
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.develop.score.decisions import decision_of
from loopcast.monitor.findings import Moved
from loopcast.monitor.performance import Labelled, change, estimate, overall_estimate
from loopcast.store.event_table import ONE_EVENT

if TYPE_CHECKING:
    from loopcast.store.home import Home

RESULT_COLUMNS = (
    *ONE_EVENT, "outputs", "output_texts", "inclusion", "labelling", "source", "action",
    "propensity",
)  # fmt: skip
"""Of events that are judged by their outcomes."""


def moved_kpis(
    home: Home,
    model: LogicalModel,
    kpi: MetricDefinition,
    versions: Mapping[Segment, VersionId],
    own: Mapping[Segment, Labelled],
) -> dict[Segment, Moved]:
    """Return how the KPI of each segment's version has moved, p-values adjusted over segments.

    A segment whose outcomes are not known, or too few to tell, is left out.

    Parameters
    ----------
    own
        Labelled events of the version of each segment.
    """
    if not measurable([kpi], model):
        return {}
    records = home.catalog.versions_of(list(versions.values()))
    found = {
        segment: moved
        for segment, labelled in own.items()
        if (record := records.get(versions.get(segment, "")))
        and (moved := _moved(home, record, model, kpi, overall_estimate(labelled, kpi)))
    }
    adjusted = false_discovery_control([m.p_value for m in found.values()]) if found else ()
    return {
        segment: replace(moved, p_value=float(p))
        for (segment, moved), p in zip(found.items(), adjusted, strict=True)
    }


def measurable(metrics: Sequence[MetricDefinition], model: LogicalModel) -> list[MetricDefinition]:
    """Return the metrics that events and outcomes suffice for.

    What is about all lists of a ranking together needs to know every item there is.
    """
    return [metric for metric in metrics if model.task != "rank" or metric.rows is not None]


def by_segment(segments: Sequence[Segment] | np.ndarray) -> Iterator[tuple[Segment, np.ndarray]]:
    """Yield the rows of each segment that has some."""
    codes, names = pd.factorize(np.asarray(segments, dtype=object), sort=True)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    for name, first, last in zip(names, np.append(0, ends), ends, strict=False):
        yield str(name), order[first:last]


def _moved(
    home: Home, version: Version, model: LogicalModel, kpi: MetricDefinition, now: Estimate
) -> Moved | None:
    if not np.isfinite(now.error):
        return None
    content = read_file(home.artifacts, version.manifest, JUDGED_FILE)
    if content is None:
        return None
    judged = read_judged(content, model.task)
    return moved(version.id, registered(judged, model, kpi), now)


def registered(judged: Judged, model: LogicalModel, kpi: MetricDefinition) -> Estimate:
    """Return the KPI of a version in its contest, of rows whose outcome would be seen in the world.

    A score that refuses for good is seen among those whom it grants, where events are fewer and
    harder to tell. A lot makes what is seen stand for all.
    """
    outcome = next(iter(judged.outcomes.values()))
    rows = np.flatnonzero(judged.overall & _seen(outcome, model.decision))
    weight = outcome.weight if isinstance(outcome, ScoreOutcome) else np.ones(row_count(outcome))
    serial = isinstance(outcome, ForecastOutcome)
    return estimate(take(outcome, rows), kpi, weight[rows], judged.block[rows], serial=serial)


def _seen(outcome: Outcome, settings: DecisionSettings) -> NDArray[np.bool_]:
    decision = decision_of(settings)
    if not isinstance(outcome, ScoreOutcome) or decision is None or settings.accept_at_random:
        return np.ones(row_count(outcome), dtype=bool)
    return decision.granted(outcome.probability)


def moved(version: VersionId, then: Estimate, now: Estimate) -> Moved | None:
    """Return how a metric has moved; ``None`` where one of both, or its error, is not known."""
    if not np.isfinite([then.value, now.value]).all():
        return None
    p_value = change(then, now).p_value()
    return Moved(
        version=version,
        then=then.value,
        now=now.value,
        p_value=1.0 if p_value is None else p_value,
    )
