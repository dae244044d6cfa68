"""Do intervals hold what they promise? The realised share of outcomes inside, with a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loopcast.api import ForecastOutcome, MetricDefinition, take
from loopcast.develop.inference import Estimate
from loopcast.monitor.performance import Labelled, estimate

CHANCE = 0.01


@dataclass(frozen=True, kw_only=True)
class IntervalCoverage:
    """How often outcomes lay inside intervals that promised a share of them.

    Attributes
    ----------
    nominal, realised
        Shares promised and seen.
    low, high
        95 % interval of the realised share; NaN where there are too few days to tell.
    p_value
        Of the hypothesis that the promise holds; 1 where there are too few days to tell.
    outcomes
        How many were inside or outside.
    """

    nominal: float
    realised: float
    low: float
    high: float
    p_value: float
    outcomes: int

    def broken(self, gap: float) -> bool:
        """Whether the realised share is off by more than a gap, and that is no chance."""
        return abs(self.realised - self.nominal) >= gap and self.p_value <= CHANCE


def interval_coverage(labelled: Labelled) -> tuple[IntervalCoverage, ...]:
    """Return the coverage of each pair of quantiles that lie around the median alike.

    Forecasts of one origin depend on each other and on those of the next; the error respects it:
    :func:`loopcast.develop.inference.serial_error`.
    """
    outcome = labelled.outcome
    if not isinstance(outcome, ForecastOutcome):
        return ()
    return tuple(_pairs(labelled, outcome))


def _pairs(labelled: Labelled, outcome: ForecastOutcome) -> Iterator[IntervalCoverage]:
    levels = outcome.levels
    for low, level in enumerate(levels):
        high = np.flatnonzero(np.isclose(levels, 1.0 - level))
        if level < 0.5 and len(high):
            yield from _covered(labelled, outcome, low, int(high[0]))


def _covered(
    labelled: Labelled, outcome: ForecastOutcome, low: int, high: int
) -> Iterator[IntervalCoverage]:
    ends = outcome.quantiles[:, [low, high]]
    known = np.flatnonzero(np.isfinite(ends).all(axis=1) & np.isfinite(outcome.actual))
    if not len(known):
        return

    def inside(rows: ForecastOutcome) -> np.ndarray:
        within = (rows.quantiles[:, low] <= rows.actual) & (rows.actual <= rows.quantiles[:, high])
        return within.astype(np.float64)

    share = MetricDefinition(
        name="inside", title="inside", task="forecast", direction="higher", rows=inside
    )
    found = estimate(
        take(outcome, known), share, labelled.weight[known], labelled.block[known], serial=True
    )
    nominal = float(outcome.levels[high] - outcome.levels[low])
    off = Estimate(value=found.value - nominal, error=found.error, freedom=found.freedom)
    p_value, ends_of = off.p_value(), found.interval(0.95, (0.0, 1.0)) or (np.nan, np.nan)
    yield IntervalCoverage(
        nominal=nominal,
        realised=found.value,
        low=float(ends_of[0]),
        high=float(ends_of[1]),
        p_value=1.0 if p_value is None else p_value,
        outcomes=len(known),
    )
