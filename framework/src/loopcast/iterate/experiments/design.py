"""How many entities an experiment needs, and how long they take to come."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from loopcast.api import DataError
from loopcast.iterate.experiments.sequential import radius

WEEK = 7


def sample_size(
    deviation: float,
    minimum_effect: float,
    *,
    significance: float,
    power: float,
    comparisons: int = 1,
) -> int:
    """Return how many entities each arm needs for a test that is looked at once.

    n = 2 σ² (z₁₋α/₂ + z₁₋β)² / δ², with α divided by the number of comparisons (Bonferroni).
    Source: S.-C. Chow, J. Shao, H. Wang and Y. Lokhnygina (2017), Sample Size Calculations in
    Clinical Research, section 3.2.1.

    Parameters
    ----------
    deviation, minimum_effect
        Standard deviation σ of the metric over entities, and the difference δ of means that is to
        be shown, in the same unit.
    comparisons
        How many arms are compared with the first.

    Raises
    ------
    DataError
        When there is no variation, so that no test is needed.

    Examples
    --------
    >>> sample_size(1.0, 0.1, significance=0.05, power=0.8)
    1570
    """
    _require_variation(deviation)
    quantiles = _two_sided(significance / comparisons) + float(ndtri(power))
    return math.ceil(2.0 * (deviation * quantiles / minimum_effect) ** 2)


def paired_sample_size(
    deviation: float, minimum_effect: float, *, significance: float, power: float
) -> int:
    """Return how many pairs a shadow needs; σ is that of the difference within a pair.

    n = σ² (z₁₋α/₂ + z₁₋β)² / δ²; source as of :func:`sample_size`, section 3.1.1.

    Examples
    --------
    >>> paired_sample_size(1.0, 0.1, significance=0.05, power=0.8)
    785
    """
    _require_variation(deviation)
    quantiles = _two_sided(significance) + float(ndtri(power))
    return math.ceil((deviation * quantiles / minimum_effect) ** 2)


def sequential_sample_size(
    deviation: float,
    minimum_effect: float,
    *,
    significance: float,
    power: float,
    comparisons: int = 1,
) -> int:
    """Return how many entities each arm needs at most, where the test may be looked at any time.

    With so many, the interval of :func:`~loopcast.iterate.experiments.sequential.radius` excludes
    zero at the last look with the wanted power; earlier looks only add to it.

    Examples
    --------
    >>> sequential_sample_size(1.0, 0.1, significance=0.05, power=0.8)
    3043
    """
    _require_variation(deviation)
    level, wanted = significance / comparisons, float(ndtri(power))

    def surplus(size: float) -> float:
        variance = 2.0 * deviation**2 / size
        gap = minimum_effect - radius(variance, minimum_effect, level)
        return gap - wanted * math.sqrt(variance)

    fixed = (deviation / minimum_effect) ** 2
    return math.ceil(brentq(surplus, fixed, 1e6 * fixed))


def _two_sided(significance: float) -> float:
    return float(ndtri(1.0 - significance / 2.0))


def _require_variation(deviation: float) -> None:
    if not deviation > 0.0:
        raise DataError(
            f"the metric's standard deviation over entities is {deviation}; with no variation "
            "there is nothing that a test could tell apart"
        )


def days_needed(arrivals: Sequence[int], entities: int) -> int:
    """Return how many days it takes until so many entities have come, in whole weeks.

    Weeks are whole, since days of the week differ.

    Parameters
    ----------
    arrivals
        How many entities came that had not come before, on each day of a past span.

    Raises
    ------
    DataError
        When hardly anyone comes who has not come before, and those who do are too few.

    Examples
    --------
    >>> days_needed([100, 60, 60, 60, 60, 60, 60], 400), days_needed([100, 60, 60, 60], 1000)
    (7, 21)
    """
    come = np.cumsum(arrivals)
    if come[-1] >= entities:
        days = int(np.searchsorted(come, entities)) + 1
    else:
        later = np.asarray(arrivals)[len(arrivals) // 2 :]
        pace = float(later.mean())
        if pace * 365.0 < entities - come[-1]:
            raise DataError(
                f"{entities:,} entities are needed; {come[-1]:,} came within {len(arrivals)} days "
                f"and {pace:.1f} new ones a day, which would take years: choose a larger minimum "
                "effect"
            )
        days = len(arrivals) + math.ceil((entities - come[-1]) / pace)
    return WEEK * math.ceil(days / WEEK)
