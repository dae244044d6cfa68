"""From what somebody wants to find out to a declared experiment, with its size and duration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import (
    OUTCOME,
    BanditSettings,
    DataError,
    Direction,
    Experiment,
    ExperimentKind,
    LogicalModel,
    MetricDefinition,
    Name,
    NonNegative,
    NotFoundError,
    OpenShare,
    Positive,
    Record,
    Segment,
    VersionId,
    place_name,
)
from loopcast.iterate.experiments.design import (
    days_needed,
    paired_sample_size,
    sample_size,
    sequential_sample_size,
)
from loopcast.iterate.experiments.measures import measure_of
from loopcast.iterate.experiments.told import with_outcomes
from loopcast.iterate.experiments.units import COLUMNS, Units, units_of, waited_for
from loopcast.iterate.feedback import SHOWN

if TYPE_CHECKING:
    from loopcast.store.home import Home

SPAN = timedelta(days=28)
"""How far back volume and variance are observed."""

_USUAL_WAIT = 0.95  # quantile of the days that outcomes took


class Declaration(Record, frozen=True):
    """What somebody wants to find out; what is left out is observed or the usual.

    Attributes
    ----------
    challengers
        The other arms; the newest version in the stage challenger by default.
    direction, minimum_effect
        Those of the metric and of the KPI by default; an outcome's direction has to be said.
    sample_size
        Computed from the minimum effect and the deviation by default.
    baseline, deviation
        Observed by default; the deviation of a shadow is that of the difference within a pair.
    wait_days
        The days within which 95 % of the outcomes came in by default.
    """

    name: Name
    kind: ExperimentKind
    metric: Name
    challengers: tuple[VersionId, ...] = ()
    direction: Direction | None = None
    minimum_effect: Annotated[float, msgspec.Meta(gt=0.0)] | None = None
    significance: OpenShare = 0.05
    power: OpenShare = 0.8
    sample_size: Positive | None = None
    baseline: float | None = None
    deviation: Annotated[float, msgspec.Meta(gt=0.0)] | None = None
    wait_days: NonNegative | None = None
    silence_counts: bool = False
    sequential: bool = False
    guardrails: dict[Name, Annotated[float, msgspec.Meta(ge=0.0)]] = {}
    bandit: BanditSettings = BanditSettings()


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was seen of the entities of a segment before an experiment.

    Attributes
    ----------
    baseline, deviation
        Mean of the metric, and its standard deviation over entities; ``None`` where no outcome
        is known.
    known_share
        Share of the entities whose outcome becomes known.
    arrivals
        How many entities came that had not come before, on each day.
    wait_days
        Days within which most of the outcomes came in.
    """

    baseline: float | None
    deviation: float | None
    known_share: float
    arrivals: tuple[int, ...]
    wait_days: int


def plan(
    wanted: Declaration,
    logical_model: str,
    segments: Sequence[Segment],
    home: Home,
    metrics: Mapping[str, MetricDefinition],
    *,
    by: str,
    now: datetime,
) -> tuple[Experiment, ...]:
    """Return the experiment of each segment, its size computed from what was observed there.

    Segments without arms are left out where others have them.

    Raises
    ------
    DataError
        When something has to be said that cannot be observed, or the model forecasts and its
        entities would be divided.
    NotFoundError
        When no segment has a champion and a challenger.
    """
    model = home.catalog.logical_model(logical_model)
    if wanted.kind != "shadow" and model.task == "forecast":
        raise DataError(
            f"{model.name} forecasts, and forecasts of two versions would not add up; declare a "
            "shadow"
        )
    champions = home.catalog.champions(model.name, segments)
    challengers = home.catalog.newest_in_stage(model.name, "challenger")
    about = _About(wanted=wanted, model=model, home=home, metrics=metrics, by=by, now=now)
    able = [s for s in segments if s in champions and (wanted.challengers or s in challengers)]
    found = []
    for segment in able or segments:
        if segment not in champions:
            raise NotFoundError(f"{_place(model, segment)} has no champion to compare with")
        others = wanted.challengers or _one(challengers.get(segment), _place(model, segment))
        arms = (champions[segment].id, *others)
        found.append(_planned(about, segment, arms))
    return tuple(found)


def _place(model: LogicalModel, segment: Segment) -> str:
    return place_name(model.name, segment)


def _one(challenger: VersionId | None, place: str) -> tuple[VersionId, ...]:
    if challenger is None:
        raise NotFoundError(
            f"{place} has no version in the stage challenger; release one, or name the arms"
        )
    return (challenger,)


@dataclass(frozen=True, eq=False, kw_only=True)
class _About:
    """What is wanted, and what it is about."""

    wanted: Declaration
    model: LogicalModel
    home: Home
    metrics: Mapping[str, MetricDefinition]
    by: str
    now: datetime


def _require_learnable(wanted: Declaration) -> None:
    """Refuse a bandit that could not learn."""
    if wanted.wait_days is None:
        raise DataError(
            "say how many days an outcome takes (wait_days): a bandit counts each impression once, "
            "when its wait is over"
        )
    if wanted.metric != OUTCOME:
        raise DataError(
            f"a bandit learns from outcomes alone, not from {wanted.metric!r}: its metric is "
            f"{OUTCOME!r}; compare versions by {wanted.metric} in an A/B test or a shadow"
        )


def _effect(wanted: Declaration, model: LogicalModel) -> float:
    if wanted.minimum_effect is not None:
        return wanted.minimum_effect
    return model.kpi.minimum_effect if wanted.metric == model.kpi.metric else 0.0


def _planned(about: _About, segment: Segment, arms: tuple[VersionId, ...]) -> Experiment:
    wanted, model = about.wanted, about.model
    direction = _direction(wanted, model, about.metrics)
    is_bandit, is_ab = wanted.kind == "bandit", wanted.kind == "ab"
    if is_bandit:
        _require_learnable(wanted)
    effect = _effect(wanted, model)
    seen = _observe(about, segment) if is_ab else None
    size = None if is_bandit else _size(wanted, effect, len(arms) - 1, seen)
    wait = wanted.wait_days
    return Experiment(
        name=wanted.name,
        logical_model=model.name,
        segment=segment,
        kind=wanted.kind,
        arms=arms,
        metric=wanted.metric,
        declared=about.now,
        by=about.by,
        direction=direction,
        minimum_effect=effect,
        significance=wanted.significance,
        power=wanted.power,
        sample_size=size,
        days=_days(size, len(arms), seen) if seen is not None and size is not None else None,
        wait_days=wait if wait is not None else seen.wait_days if seen is not None else 0,
        silence_counts=wanted.silence_counts,
        baseline=wanted.baseline if seen is None else seen.baseline,
        deviation=wanted.deviation if seen is None else seen.deviation,
        sequential=wanted.sequential,
        guardrails=wanted.guardrails,
        bandit=wanted.bandit if is_bandit else None,
    )


def _direction(
    wanted: Declaration, model: LogicalModel, metrics: Mapping[str, MetricDefinition]
) -> Direction:
    if wanted.direction is not None:
        return wanted.direction
    if wanted.metric == model.kpi.metric:
        return model.kpi.direction
    if wanted.metric in metrics:
        return metrics[wanted.metric].direction
    if wanted.metric != OUTCOME:
        raise DataError(
            f"{model.name} has no metric {wanted.metric!r}; there are "
            f"{', '.join([OUTCOME, *metrics])}"
        )
    raise DataError(
        "say whether a higher or a lower outcome is better (direction): a click is welcome, a "
        "default is not"
    )


def _size(wanted: Declaration, effect: float, comparisons: int, seen: Observed | None) -> int:
    if wanted.sample_size is not None:
        return wanted.sample_size
    deviation = wanted.deviation if seen is None else seen.deviation
    if not effect:
        raise DataError("say which difference matters (minimum_effect), or how many are enough")
    if deviation is None:
        raise DataError(
            "the sample size follows from how much the metric varies, and no outcome is known to "
            "see that from: say its standard deviation (deviation), or how many are enough "
            "(sample_size)"
        )
    errors = {"significance": wanted.significance, "power": wanted.power}
    if wanted.kind == "shadow":
        return paired_sample_size(deviation, effect, **errors)
    how = sequential_sample_size if wanted.sequential else sample_size
    return how(deviation, effect, comparisons=comparisons, **errors)


def _days(size: int, arms: int, seen: Observed) -> int | None:
    if not sum(seen.arrivals) or not seen.known_share:
        return None
    return days_needed(seen.arrivals, math.ceil(size * arms / seen.known_share))


def _observe(about: _About, segment: Segment) -> Observed:
    """Look at the champion's entities of the last weeks: how many, and what came of them."""
    wanted, model, now = about.wanted, about.model, about.now
    events = about.home.events.read(model.name, now - SPAN, now, segment=segment, columns=COLUMNS)
    shown = events.filter(pc.is_in(events["role"], pa.array(SHOWN))).sort_by("time")
    within = (wanted.wait_days or 0) if wanted.silence_counts else 0
    rows = with_outcomes(shown, about.home, model, within)
    rows = rows.filter(pc.equal(rows["role"], "champion"))
    first = np.flatnonzero(~rows["key"].to_pandas().duplicated())
    rows = rows.take(pa.array(first))
    wait = wanted.wait_days if wanted.wait_days is not None else _wait(rows)
    waited = waited_for(rows, now, wait) & wanted.silence_counts
    units = units_of(rows, np.zeros(len(first), dtype=np.intp), waited=waited)
    baseline, deviation = wanted.baseline, wanted.deviation
    known = np.flatnonzero(units.known)
    if deviation is None and len(known) > 1:
        measure = measure_of(wanted.metric, units.take(known), model, about.metrics)
        estimate = measure(np.arange(len(known)))
        baseline, deviation = estimate.value, estimate.error * math.sqrt(len(known))
    return Observed(
        baseline=baseline,
        deviation=deviation,
        known_share=_known_share(units, wait, now),
        arrivals=_arrivals(units.time),
        wait_days=wait,
    )


def _wait(rows: pa.Table) -> int:
    """Return the days within which most outcomes came in, of those that have."""
    took = (rows["observed"].to_pandas() - rows["time"].to_pandas()).dropna()
    return max(math.ceil(took.quantile(_USUAL_WAIT) / timedelta(days=1)), 0) if len(took) else 0


def _known_share(units: Units, wait: int, now: datetime) -> float:
    """Return how many of the entities that are old enough have an outcome."""
    old = waited_for(units.rows, now, wait)
    return float(units.known[old].mean()) if old.any() else 1.0


def _arrivals(time: pd.Series[pd.Timestamp]) -> tuple[int, ...]:
    if not len(time):
        return ()
    days = ((time - time.min().floor("D")) / timedelta(days=1)).astype(int)
    return tuple(np.bincount(days).tolist())
