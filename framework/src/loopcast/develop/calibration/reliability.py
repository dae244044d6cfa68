"""Reliability: how often what was said came true, in bins of what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.fairness.intervals import share_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import ScoreOutcome

    FloatArray = NDArray[np.float64]


BINS = 10

RARE = 0.2
"""Below this share of the event, or of its absence, a gap of calibration counts in proportion."""


def gap_allowed(gap: float, said: float) -> float:
    """Return how far the share of events may be from what was said, where they are rare, too.

    Five points more of an event that was said to happen to one in a hundred are six times as many.

    Parameters
    ----------
    gap
        Where neither the event nor its absence is rare.
    said
        Mean probability.

    Examples
    --------
    >>> gap_allowed(0.05, 0.4), gap_allowed(0.05, 0.01), round(gap_allowed(0.05, 0.99), 6)
    (0.05, 0.0025, 0.0025)
    """
    return gap * min(1.0, min(said, 1.0 - said) / RARE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reliability:
    """What happened of what was said; NaN in bins without rows.

    Attributes
    ----------
    middle, said, happened, low, high : ndarray, shape (bins,)
        Middle of each bin, mean probability in it, share of events with its 95 % interval.
    """

    middle: FloatArray
    said: FloatArray
    happened: FloatArray
    low: FloatArray
    high: FloatArray


def reliability(outcome: ScoreOutcome, highest: float = 1.0) -> Reliability:
    """Return the reliability in ten bins of equal width from 0 to the highest probability.

    Parameters
    ----------
    highest
        At least the largest probability; above 0.

    Source: A. H. Murphy and R. L. Winkler (1977), Reliability of subjective probability forecasts
    of precipitation and temperature, Applied Statistics 26.
    """
    place = np.minimum((outcome.probability / highest * BINS).astype(np.int64), BINS - 1)
    columns = np.full((4, BINS), np.nan)
    for number in np.unique(place):
        rows = place == number
        weight = outcome.weight[rows]
        said = np.average(outcome.probability[rows], weights=weight)
        share = share_of_rows(outcome.actual[rows] == 1.0, weight, 0.95)
        columns[:, number] = said, share.value, share.low, share.high
    said, happened, low, high = columns
    middle = (np.arange(BINS) + 0.5) / BINS * highest
    return Reliability(middle=middle, said=said, happened=happened, low=low, high=high)
