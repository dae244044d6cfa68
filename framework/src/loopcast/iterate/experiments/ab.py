"""The analysis of an A/B test: the arms' means against the champion's, once or at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Experiment, LogicalModel, MetricDefinition
from loopcast.develop.compare import Verdict, verdict
from loopcast.develop.inference import Estimate
from loopcast.iterate.experiments.measures import Measure, measure_of
from loopcast.iterate.experiments.results import ArmResult, Contrast, Look, arm_result, judge
from loopcast.iterate.experiments.sequential import FEWEST, always_valid_p, radius
from loopcast.iterate.experiments.units import Units
from loopcast.monitor.performance import change

if TYPE_CHECKING:
    from loopcast.api import VersionId

Interval = tuple[float, float]

LOOKS = 25
"""Moments at which the course of an experiment is drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """What is analysed of an experiment.

    Attributes
    ----------
    units
        Entities whose outcome is known, in the order of enrolment.
    anytime
        Whether the intervals have to hold at any time.
    """

    experiment: Experiment
    units: Units
    model: LogicalModel
    metrics: Mapping[str, MetricDefinition]
    anytime: bool

    @property
    def level(self) -> float:
        """The significance of one comparison of several (Bonferroni)."""
        return self.experiment.significance / (len(self.experiment.arms) - 1)


def first_of_each_arm(units: Units, count: int, arms: int) -> Units:
    """Return the first entities of each arm whose outcome is known.

    Those who look later look at the same ones.
    """
    known = np.flatnonzero(units.known)
    places = [known[units.arm[known] == arm][:count] for arm in range(arms)]
    return units.take(np.sort(np.concatenate(places)))


def arm_results(sample: Sample) -> tuple[ArmResult, ...]:
    """Measure each arm."""
    measure = _measure(sample, sample.experiment.metric)
    return tuple(
        arm_result(version, measure(rows), len(rows))
        for version, rows in zip(sample.experiment.arms, _rows_by_arm(sample), strict=True)
    )


def contrasts(sample: Sample) -> tuple[Contrast, ...]:
    """Compare each arm with the champion by the metric."""
    item = sample.experiment

    def said(interval: Interval | None) -> Verdict:
        return judge(interval, item.minimum_effect, item.direction)

    return tuple(_contrast(sample, found, said) for found in _differences(sample, item.metric))


def guardrails(sample: Sample) -> tuple[Contrast, ...]:
    """Compare each arm with the champion by each guardrail.

    A guardrail of the outcome itself is in the direction of the experiment.
    """
    return tuple(
        _contrast(sample, found, partial(_kept, sample, name))
        for name in sample.experiment.guardrails
        for found in _differences(sample, name)
    )


def _kept(sample: Sample, name: str, interval: Interval | None) -> Verdict:
    """Say whether a guardrail is kept; it is broken where all of the interval is beyond it."""
    found = sample.metrics.get(name)
    direction = found.direction if found else sample.experiment.direction
    return verdict(interval, sample.experiment.guardrails[name], direction)


def course(sample: Sample) -> dict[VersionId, tuple[Look, ...]]:
    """Return how the difference of each arm developed with enrolment."""
    count, time = len(sample.units.arm), sample.units.time
    measure = _measure(sample, sample.experiment.metric)
    found: dict[VersionId, list[Look]] = {version: [] for version in sample.experiment.arms[1:]}
    for until in np.unique(np.linspace(0, count, LOOKS + 1).astype(int))[1:]:
        rows = [arm[arm < until] for arm in _rows_by_arm(sample)]
        base = measure(rows[0])
        for version, own in zip(found, rows[1:], strict=True):
            difference = change(base, measure(own))
            low, high = _interval(sample, difference) or (None, None)
            found[version].append(
                Look(
                    time=time.iloc[until - 1].to_pydatetime(),
                    count=int(until),
                    difference=difference.value if low is not None else None,
                    low=low,
                    high=high,
                )
            )
    return {version: tuple(looks) for version, looks in found.items()}


def _measure(sample: Sample, name: str) -> Measure:
    return measure_of(name, sample.units, sample.model, sample.metrics)


def _rows_by_arm(sample: Sample) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(sample.units.arm == arm) for arm in range(len(sample.experiment.arms))]


@dataclass(frozen=True, kw_only=True)
class _Difference:
    version: VersionId
    metric: str
    estimate: Estimate


def _differences(sample: Sample, name: str) -> Iterator[_Difference]:
    measure, rows = _measure(sample, name), _rows_by_arm(sample)
    base = measure(rows[0])
    for version, own in zip(sample.experiment.arms[1:], rows[1:], strict=True):
        yield _Difference(version=version, metric=name, estimate=change(base, measure(own)))


def _interval(sample: Sample, difference: Estimate) -> Interval | None:
    if not np.isfinite(difference.value) or not np.isfinite(difference.error):
        return None
    if not sample.anytime:
        return difference.interval(1.0 - sample.level)
    if difference.freedom < FEWEST:
        return None
    half = radius(difference.error**2, sample.experiment.minimum_effect, sample.level)
    return difference.value - half, difference.value + half


def _p_value(sample: Sample, difference: Estimate) -> float | None:
    if not sample.anytime:
        return difference.p_value()
    mixture = sample.experiment.minimum_effect
    return always_valid_p(difference.value, difference.error**2, mixture)


def _contrast(
    sample: Sample, found: _Difference, said: Callable[[Interval | None], Verdict]
) -> Contrast:
    interval, value = _interval(sample, found.estimate), found.estimate.value
    low, high = interval or (None, None)
    return Contrast(
        version=found.version,
        metric=found.metric,
        difference=value if np.isfinite(value) else None,
        low=low,
        high=high,
        p_value=_p_value(sample, found.estimate) if interval else None,
        verdict=said(interval),
    )
