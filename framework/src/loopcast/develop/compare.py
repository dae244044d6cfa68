"""Paired comparison: two versions, or two contenders, judged on the same rows.

The difference of a metric is estimated row by row, with an interval that knows which rows depend
on each other, and weighed against the smallest difference that matters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    Direction,
    ForecastOutcome,
    Judged,
    Kpi,
    MetricDefinition,
    Outcome,
    RankOutcome,
    Rows,
    ScoreOutcome,
    take,
)
from loopcast.develop.inference import (
    Estimate,
    block_places,
    independent_error,
    jackknife_error,
    mean_influence,
    serial_error,
)
from loopcast.develop.metrics import mean_of_rows

FloatArray = NDArray[np.float64]
Verdict = Literal["better", "worse", "same", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of two contenders on the same rows; the difference is second minus first.

    Attributes
    ----------
    subset
        ``attribute=value``; empty for the overall value.
    first, second, difference
        ``None`` where the metric is undefined for a row.
    low, high, p_value
        Interval of the difference, and p-value of the hypothesis that there is none; ``None``
        where there are too few independent blocks of rows to tell.
    rows, blocks
        How many rows, and how many blocks of rows that depend on each other.
    minimum_effect
        The smallest difference that matters.
    verdict
        On the second: ``better`` or ``worse`` where the whole interval lies beyond the minimum
        effect, ``same`` where it lies within, else ``undecided``.
    """

    metric: str
    subset: str
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    rows: int
    blocks: int
    minimum_effect: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two contenders on one dataset by one protocol.

    Attributes
    ----------
    dataset
        Fingerprint of the data.
    confidence
        Of each interval by itself; with many subpopulations, some miss by chance.
    """

    first: str
    second: str
    dataset: str
    protocol: str
    confidence: float
    differences: tuple[Difference, ...]


def compare(
    judged: Judged,
    first: str,
    second: str,
    metrics: Sequence[MetricDefinition],
    kpi: Kpi,
    *,
    by: Collection[str] | None = None,
    confidence: float = 0.95,
    weight: FloatArray | None = None,
) -> tuple[Difference, ...]:
    """Compare two contenders metric by metric.

    Parameters
    ----------
    first, second
        Labels of contenders of ``judged``.
    kpi
        Its minimum effect is the KPI's own; any difference of another metric matters.
    by
        Attributes whose subpopulations are compared too; all of them where ``None``.
    weight : ndarray, shape (n,)
        How much each row counts in a mean; by its own weight where ``None``.

    Returns
    -------
    tuple of Difference
        By metric, overall first.
    """
    pair_of = _Pair(len(judged.block), judged.outcomes[first], judged.outcomes[second], weight)
    subsets = [_subset(name, rows, judged.block) for name, rows in judged.subsets(by)]
    return tuple(
        _difference(definition, kpi, found, confidence)
        for definition in metrics
        for found in _measured(pair_of, definition, subsets)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Subset:
    """Rows of a subpopulation, with the number of each one's block among the blocks of all."""

    name: str
    rows: Rows
    block: NDArray[np.intp]
    blocks: int


def _subset(name: str, rows: Rows, block: NDArray[np.int64]) -> _Subset:
    place = block_places(block[rows])
    return _Subset(name=name, rows=rows, block=place, blocks=int(place.max(initial=-1)) + 1)


@dataclass(frozen=True, eq=False)
class _Pair:
    rows: int
    first: Outcome
    second: Outcome
    given: FloatArray | None

    @property
    def weight(self) -> FloatArray:
        """How much each row counts."""
        if self.given is not None:
            return self.given
        if isinstance(self.first, ScoreOutcome):
            return self.first.weight
        return np.ones(self.rows)

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        return self.first, self.second

    @property
    def serial(self) -> bool:
        """Whether blocks follow each other in time: the origins of forecasts do."""
        return isinstance(self.first, ForecastOutcome)


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """A metric of two contenders on a subset, and their difference with its error."""

    subset: str
    first: float
    second: float
    difference: Estimate
    rows: int
    blocks: int


def _measured(
    pair_of: _Pair, definition: MetricDefinition, subsets: Sequence[_Subset]
) -> Iterator[_Measured]:
    values = _mean_estimates if definition.rows is not None else _whole_estimates
    found = values(pair_of, definition, subsets)
    for subset, (one, two, (error, freedom)) in zip(subsets, found, strict=True):
        yield _Measured(
            subset=subset.name,
            first=one,
            second=two,
            difference=Estimate(value=two - one, error=error, freedom=freedom),
            rows=len(subset.rows),
            blocks=subset.blocks,
        )


Found = tuple[float, float, tuple[float, int]]
"""The values of both contenders; standard error and degrees of freedom of their difference."""


def _mean_estimates(
    pair_of: _Pair, definition: MetricDefinition, subsets: Sequence[_Subset]
) -> Iterator[Found]:
    root, (one, two) = definition.root, (_values(definition, o) for o in pair_of.outcomes)
    weight = pair_of.weight
    error = serial_error if pair_of.serial else independent_error
    for subset in subsets:
        values, own = [v[subset.rows] for v in (one, two)], weight[subset.rows]
        first, second = (mean_of_rows(v, own, root=root) for v in values)
        if not np.isfinite(second - first):
            yield first, second, (np.nan, 0)
            continue
        before, after = (mean_influence(v, own, root=root) for v in values)
        sums = np.bincount(subset.block, after - before)
        yield first, second, error(np.asarray(sums, dtype=np.float64))


def _values(definition: MetricDefinition, outcome: Outcome) -> FloatArray:
    assert definition.rows is not None
    return definition.rows(outcome)


def _whole_estimates(
    pair_of: _Pair, definition: MetricDefinition, subsets: Sequence[_Subset]
) -> Iterator[Found]:
    whole = definition.whole
    assert whole is not None

    def both(rows: Rows) -> tuple[float, float]:
        one, two = (whole(take(outcome, rows)) for outcome in pair_of.outcomes)
        return one, two

    one = pair_of.outcomes[0]
    event = one.actual == 1.0 if isinstance(one, ScoreOutcome) else None
    for subset in subsets:
        first, second = both(subset.rows)

        def change(left: Rows, rows: Rows = subset.rows) -> float:
            one, two = both(rows[left])
            return two - one

        known, serial = np.isfinite(second - first), pair_of.serial
        kinds = None if event is None else event[subset.rows]
        yield (
            first,
            second,
            (
                jackknife_error(change, subset.block, serial=serial, kind=kinds)
                if known
                else (np.nan, 0)
            ),
        )


def _difference(
    definition: MetricDefinition, kpi: Kpi, found: _Measured, confidence: float
) -> Difference:
    is_kpi = definition.name == kpi.metric
    minimum = kpi.minimum_effect if is_kpi else 0.0
    direction = kpi.direction if is_kpi else definition.direction
    interval = found.difference.interval(confidence)
    low, high = interval or (None, None)
    return Difference(
        metric=definition.name,
        subset=found.subset,
        first=_known(found.first),
        second=_known(found.second),
        difference=_known(found.difference.value),
        low=low,
        high=high,
        p_value=found.difference.p_value(),
        rows=found.rows,
        blocks=found.blocks,
        minimum_effect=minimum,
        verdict=verdict(interval, minimum, direction),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def verdict(
    interval: tuple[float, float] | None, minimum_effect: float, direction: Direction
) -> Verdict:
    """Say what the interval of a difference means.

    Examples
    --------
    >>> verdict((-0.5, -0.2), 0.1, "lower"), verdict((-0.5, -0.05), 0.1, "lower")
    ('better', 'undecided')
    >>> verdict((-0.05, 0.02), 0.1, "lower"), verdict((-0.5, -0.2), 0.1, "higher")
    ('same', 'worse')
    """
    if interval is None:
        return "undecided"
    low, high = interval if direction == "higher" else (-interval[1], -interval[0])
    if -minimum_effect <= low and high <= minimum_effect:
        return "same"
    if low > minimum_effect:
        return "better"
    return "worse" if high < -minimum_effect else "undecided"


def change_of_predictions(first: Outcome, second: Outcome) -> FloatArray:
    """Return how far the second's prediction is from the first's, row by row.

    Returns
    -------
    ndarray, shape (n,)
        Forecast: distance over the mean size of both, between 0 and 2. Score: distance of the
        probabilities. Rank: share of the places that hold items of one list only.
    """
    if isinstance(first, ForecastOutcome) and isinstance(second, ForecastOutcome):
        size = (np.abs(first.mean) + np.abs(second.mean)) / 2.0
        distance = np.abs(first.mean - second.mean)
        return np.divide(distance, size, out=np.zeros_like(distance), where=size > 0.0)
    if isinstance(first, ScoreOutcome) and isinstance(second, ScoreOutcome):
        return np.asarray(np.abs(first.probability - second.probability))
    assert isinstance(first, RankOutcome)
    assert isinstance(second, RankOutcome)
    one, two = first.ranking.items, second.ranking.items
    both = np.sort(np.append(one, two, axis=1), axis=1)  # no list holds an item twice
    shared = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] >= 0)).sum(axis=1)
    longest = np.maximum((one >= 0).sum(axis=1), (two >= 0).sum(axis=1))
    return np.asarray(1.0 - np.divide(shared, longest, out=np.ones(len(one)), where=longest > 0))
