"""How long to wait before the next attempt, so that a fleet does not stampede after an outage."""

from __future__ import annotations

from random import Random

SHORTEST_S, LONGEST_S = 1.0, 300.0


def delay(failures: int, random: Random, longest: float = LONGEST_S) -> float:
    """Return seconds to wait after a number of failures in a row.

    Uniform between nothing and a bound that doubles with each failure ("full jitter"): of the
    schemes that grow alike it needs the fewest attempts in all.

    Source: M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.

    Examples
    --------
    >>> delays = [delay(10, Random(seed)) for seed in range(1000)]
    >>> 0 <= min(delays) < 10 and 290 < max(delays) <= 300
    True
    """
    bound = min(longest, SHORTEST_S * 2.0 ** min(failures, 30))
    return random.uniform(0.0, bound)
