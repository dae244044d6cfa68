"""A test that may be looked at as often as one likes: the mixture sequential ratio test.

A difference d of means with variance V is normal, and the alternative is spread over N(0, τ²). The
ratio of likelihoods Λ = √(V / (V + τ²)) exp(τ² d² / (2 V (V + τ²))) exceeds 1/α at any time with a
probability of α at most, if there is no difference.

Source: R. Johari, P. Koomen, L. Pekelis and D. Walsh (2022), Always valid inference: continuous
monitoring of A/B tests, Operations Research 70, sections 4 and 5; the idea is H. Robbins's (1970),
Statistical methods related to the law of the iterated logarithm, Annals of Mathematical Statistics
41. Means are normal only approximately, so that nothing is said below :data:`FEWEST` entities.
"""

from __future__ import annotations

import math

FEWEST = 100
"""Entities that each arm needs before the first look."""


def radius(variance: float, mixture: float, significance: float) -> float:
    """Return the half width of the interval that covers the true difference at all times.

    Parameters
    ----------
    variance
        V, of the difference so far.
    mixture
        τ: differences of about this size are found the soonest.
    significance
        α, of ever missing the true difference.

    Examples
    --------
    >>> round(radius(0.01, 0.3, 0.05), 4)
    0.3036
    """
    if variance <= 0.0:
        return 0.0
    spread = variance + mixture**2
    squared = math.log(spread / variance) - 2.0 * math.log(significance)
    return math.sqrt(variance * spread / mixture**2 * squared)


def always_valid_p(difference: float, variance: float, mixture: float) -> float:
    """Return the p-value that holds whenever it is looked at: 1/Λ, and 1 at most.

    Examples
    --------
    >>> round(always_valid_p(0.5, 0.01, 0.3), 5)
    4e-05
    """
    if variance <= 0.0:
        return 1.0 if difference == 0.0 else 0.0
    spread = variance + mixture**2
    exponent = mixture**2 * difference**2 / (2.0 * variance * spread)
    return min(1.0, math.exp(0.5 * math.log(spread / variance) - exponent))
