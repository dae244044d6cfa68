"""Intervals of shares that hold for few rows and for shares near 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import TYPE_CHECKING

from scipy.special import ndtri

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number with the ends of its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(value=nan, low=nan, high=nan)


@dataclass(frozen=True, kw_only=True)
class Share(Interval):
    """A share of rows.

    Attributes
    ----------
    rows
        How many rows it is a share of.
    effective
        How many rows of one weight would tell as much.
    """

    rows: int
    effective: float


def share_of_rows(
    chosen: NDArray[np.bool_], weight: NDArray[np.float64], confidence: float
) -> Share:
    """Return the weighted share of rows that are chosen, with its score interval.

    Source: E. B. Wilson (1927), Probable inference, JASA 22; L. D. Brown, T. T. Cai and A. DasGupta
    (2001), Interval estimation for a binomial proportion, Statistical Science 16; L. Kish (1965),
    Survey Sampling, section 11.7, for rows of different weight.
    """
    total = float(weight.sum())
    if not total:
        return Share(value=nan, low=nan, high=nan, rows=len(weight), effective=0.0)
    share = float(weight @ chosen / total)
    effective = total**2 / float(weight @ weight)
    low, high = wilson(share, effective, confidence)
    return Share(value=share, low=low, high=high, rows=len(weight), effective=effective)


def wilson(share: float, count: float, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share of ``count`` rows.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0.0, 10, 0.95)]
    [0.0, 0.2775]
    """
    z2 = float(ndtri(0.5 + confidence / 2.0)) ** 2
    middle = (share + z2 / (2.0 * count)) / (1.0 + z2 / count)
    half = sqrt(z2 * (share * (1.0 - share) + z2 / (4.0 * count)) / count) / (1.0 + z2 / count)
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def difference(first: Interval, second: Interval) -> Interval:
    """Return first minus second of two independent shares.

    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent
    proportions, Statistics in Medicine 17, method 10.
    """
    value = first.value - second.value
    below = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    above = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Interval(value=value, low=value - below, high=value + above)


def ratio(first: Interval, second: Interval) -> Interval:
    """Return first over second of two independent shares; infinite where the second may be zero.

    Source: A. Donner and G. Y. Zou (2012), Closed-form confidence intervals for functions of the
    normal mean and standard deviation, Statistical Methods in Medical Research 21: the limits of a
    ratio from those of its parts.
    """
    if not second.value:
        return Interval(value=nan, low=nan, high=nan)
    product = first.value * second.value
    inner = first.low * second.high * (2.0 * first.value - first.low)
    inner *= 2.0 * second.value - second.high
    low = (product - sqrt(max(product**2 - inner, 0.0))) / (
        second.high * (2.0 * second.value - second.high)
    )
    outer = first.high * second.low * (2.0 * first.value - first.high)
    outer *= 2.0 * second.value - second.low
    below = second.low * (2.0 * second.value - second.low)
    high = (product + sqrt(max(product**2 - outer, 0.0))) / below if below > 0.0 else inf
    return Interval(value=first.value / second.value, low=max(low, 0.0), high=high)
