"""Groups of rows of one contender against each other: fairness, and recent rows against older."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    ForecastOutcome,
    Judged,
    MetricDefinition,
    Outcome,
    Rows,
    ScoreOutcome,
    take,
)
from loopcast.develop.inference import (
    Estimate,
    block_sums,
    independent_error,
    jackknife_error,
    mean_influence,
    serial_error,
)
from loopcast.develop.metrics import mean_of_rows

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GroupDifference:
    """A metric of two groups of rows; the difference is first minus second.

    Attributes
    ----------
    first, second
        NaN where the metric is undefined.
    """

    first: float
    second: float
    difference: Estimate


def difference_of_groups(
    judged: Judged, contender: str, metric: MetricDefinition, first: Rows, second: Rows
) -> GroupDifference:
    """Compare a metric of a contender between two groups of rows that share none.

    The error of a score's metric is at least that of chance where scores are right: a group to
    which a rare event has not happened yet shows no spread, and nothing is certain of it. A metric
    that is no mean is as certain as the rarer outcome of the smaller group.
    """
    outcome = judged.outcomes[contender]
    if metric.rows is not None:
        values, root = metric.rows(outcome), metric.root
        found = _of_means(judged, outcome, values, (first, second), root=root)
        if not isinstance(outcome, ScoreOutcome) or root:
            return found
        chance = np.hypot(_by_chance(outcome, metric, first), _by_chance(outcome, metric, second))
        error = float(np.maximum(found.difference.error, chance))
        return replace(found, difference=replace(found.difference, error=error))
    whole = metric.whole
    assert whole is not None
    both = np.concatenate([first, second])
    in_first = np.arange(len(both)) < len(first)

    def change(left: Rows) -> float:
        chosen, of_first = both[left], in_first[left]
        return whole(take(outcome, chosen[of_first])) - whole(take(outcome, chosen[~of_first]))

    one, two = whole(take(outcome, first)), whole(take(outcome, second))
    error, freedom = np.nan, 0
    if np.isfinite(one - two):
        kind = in_first + 2.0 * outcome.actual[both] if isinstance(outcome, ScoreOutcome) else None
        error, freedom = jackknife_error(
            change, judged.block[both], serial=_serial(outcome), kind=kind
        )
    return GroupDifference(
        first=one, second=two, difference=Estimate(value=one - two, error=error, freedom=freedom)
    )


def _by_chance(outcome: ScoreOutcome, metric: MetricDefinition, rows: Rows) -> float:
    """Return the error of a mean over rows that outcomes give by themselves, if scores are right.

    Each row adds p (1 − p) times the square of what its outcome changes, as in
    :func:`loopcast.develop.fairness.measures.surplus_of`.
    """
    assert metric.rows is not None
    known = take(outcome, rows)
    none, all_ = (
        metric.rows(replace(known, actual=np.full(len(rows), event))) for event in (0.0, 1.0)
    )
    said, weight = known.probability, known.weight
    moved = np.nan_to_num(all_ - none)  # undefined for one outcome: it moves nothing
    return float(np.sqrt((weight * moved) ** 2 @ (said * (1.0 - said))) / weight.sum())


def _of_means(
    judged: Judged, outcome: Outcome, values: FloatArray, groups: tuple[Rows, Rows], *, root: bool
) -> GroupDifference:
    weight = _weight(outcome, len(values))
    one, two = (mean_of_rows(values[rows], weight[rows], root=root) for rows in groups)
    error, freedom = np.nan, 0
    if np.isfinite(one - two):
        moved = np.concatenate(
            [
                sign * mean_influence(values[rows], weight[rows], root=root)
                for sign, rows in zip((1.0, -1.0), groups, strict=True)
            ]
        )
        error, freedom = _error(judged, outcome, moved, np.concatenate(groups))
    return GroupDifference(
        first=one, second=two, difference=Estimate(value=one - two, error=error, freedom=freedom)
    )


def share_of(judged: Judged, outcome: Outcome, chosen: NDArray[np.bool_], rows: Rows) -> Estimate:
    """Return the weighted share of rows that are chosen, with its error."""
    weight = _weight(outcome, len(chosen))[rows]
    values = chosen[rows].astype(np.float64)
    error, freedom = _error(judged, outcome, mean_influence(values, weight), rows)
    return Estimate(value=mean_of_rows(values, weight), error=error, freedom=freedom)


def _weight(outcome: Outcome, count: int) -> FloatArray:
    return outcome.weight if isinstance(outcome, ScoreOutcome) else np.ones(count)


def _serial(outcome: Outcome) -> bool:
    return isinstance(outcome, ForecastOutcome)


def _error(judged: Judged, outcome: Outcome, moved: FloatArray, rows: Rows) -> tuple[float, int]:
    sums = block_sums(moved, judged.block[rows])
    return serial_error(sums) if _serial(outcome) else independent_error(sums)
