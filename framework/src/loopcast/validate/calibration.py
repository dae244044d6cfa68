"""Gate on calibration: what is said to happen in so many cases happens in so many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import (
    ForecastOutcome,
    GateDefinition,
    GateResult,
    Hyperparameters,
    Judged,
    ScoreOutcome,
    Subject,
)
from loopcast.validate.results import between, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loopcast.develop.inference import Estimate

Gap = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]


class Calibration(Hyperparameters, frozen=True):
    """How far from what was said the share of what happened may be, for certain.

    A test fails where its whole interval lies beyond the gap, so that few rows do not fail a
    version and many rows do not fail it for a difference that does not matter. Where fewer than a
    fifth of the rows are said to have the event, or not to have it, gaps shrink in proportion.

    Attributes
    ----------
    gap
        Of the coverage of intervals, or of the share of events, overall.
    bin_gap
        Of the share of events in a bin of the score.
    bins
        Bins of the score, of equal weight.
    confidence
        Of each interval; those of bins share one error rate among them.
    """

    gap: Gap = 0.05
    bin_gap: Gap = 0.1
    bins: Annotated[int, msgspec.Meta(ge=2, le=100)] = 10
    confidence: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.95


def check_calibration(subject: Subject, options: Calibration) -> Iterator[GateResult]:
    """Compare coverage of intervals, or probabilities, with what came true."""
    outcome = subject.judged.outcomes[subject.label]
    if isinstance(outcome, ForecastOutcome):
        yield from _coverage(subject.judged, outcome, options)
    elif isinstance(outcome, ScoreOutcome):
        yield from _probabilities(subject.judged, outcome, options)


def _coverage(
    judged: Judged, outcome: ForecastOutcome, options: Calibration
) -> Iterator[GateResult]:
    import numpy as np

    from loopcast.develop.groups import share_of

    rows, levels = np.flatnonzero(judged.overall), outcome.levels
    for low in range(len(levels) // 2):
        high = len(levels) - 1 - low
        nominal = float(levels[high] - levels[low])
        inside = (outcome.actual >= outcome.quantiles[:, low]) & (
            outcome.actual <= outcome.quantiles[:, high]
        )
        found = share_of(judged, outcome, inside, rows)
        passed, words = _within(found, nominal, options.gap, options.confidence)
        yield say("calibration")(
            f"{nominal:.0%} interval",
            passed,
            f"covers {nominal:.0%} ± {options.gap:.0%}",
            f"covers {found.value:.1%}, {words}",
        )


def _probabilities(
    judged: Judged, outcome: ScoreOutcome, options: Calibration
) -> Iterator[GateResult]:
    """Check the share of events overall, and in bins of the score as Hosmer and Lemeshow do.

    Source: D. W. Hosmer and S. Lemeshow (1980), Goodness of fit tests for the multiple logistic
    regression model, Communications in Statistics A 9; with an interval for each bin in place of
    one statistic, which on many rows fails any model.
    """
    import numpy as np

    from loopcast.develop.calibration.reliability import gap_allowed
    from loopcast.develop.fairness.measures import surplus_of

    rows = np.flatnonzero(judged.overall)
    mean = float(np.average(outcome.probability[rows], weights=outcome.weight[rows]))
    of_bins = 1.0 - (1.0 - options.confidence) / options.bins
    gap, bin_gap = gap_allowed(options.gap, mean), gap_allowed(options.bin_gap, mean)
    tests = [("overall", rows, gap, options.confidence)]
    for members in _bins(outcome, rows, options.bins):
        low, high = outcome.probability[members[[0, -1]]]
        name = f"probabilities {low:.2g} to {high:.2g}"
        tests.append((name, members, bin_gap, of_bins))
    for name, members, allowed, confidence in tests:
        said = float(np.average(outcome.probability[members], weights=outcome.weight[members]))
        found = surplus_of(outcome, judged.block, members)
        passed, words = _within(found, 0.0, allowed, confidence)
        yield say("calibration")(
            name,
            passed,
            f"the share of events is the mean probability ± {allowed:.2g}",
            f"{max(found.value + said, 0.0):.4g} against {said:.4g}, {words} of the difference",
        )


def _bins(outcome: ScoreOutcome, rows: NDArray[np.intp], count: int) -> list[NDArray[np.intp]]:
    """Return bins of about equal weight by rising score, equal scores together."""
    import numpy as np

    order = rows[np.argsort(outcome.probability[rows], kind="stable")]
    score = outcome.probability[order]
    reached = np.cumsum(outcome.weight[order]) / outcome.weight[order].sum()
    edges = np.searchsorted(score, score[np.searchsorted(reached, np.arange(1, count) / count)])
    return [members for members in np.split(order, np.unique(edges)) if len(members)]


def _within(found: Estimate, nominal: float, gap: float, confidence: float) -> tuple[bool, str]:
    """Tell whether some of the interval, or the value where there is none, is within the gap."""
    interval = found.interval(confidence)
    low, high = interval or (found.value, found.value)
    return low <= nominal + gap and high >= nominal - gap, between(*(interval or (None, None)))


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="calibration",
        title="probabilities and intervals mean what they say",
        options=Calibration,
        run=check_calibration,
        tasks=("forecast", "score"),
    ),
)
