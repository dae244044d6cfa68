"""Standard errors from dependent rows: what a paired comparison and a gate are certain of.

Rows of one block (a customer, a forecast origin) depend on each other. Blocks are independent, or
they follow each other in time and depend on their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopcast.api.rank import run_starts

FloatArray = NDArray[np.float64]

GROUPS = 50
"""Groups of blocks that a jackknife leaves out in turn."""

FEWEST_IN_TIME = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimate whose error follows Student's t.

    Attributes
    ----------
    error
        Standard error; NaN where there are too few blocks to tell.
    freedom
        Degrees of freedom.
    """

    value: float
    error: float
    freedom: int

    def interval(
        self, confidence: float, within: tuple[float, float] = (-math.inf, math.inf)
    ) -> tuple[float, float] | None:
        """Return the two-sided interval inside what is possible; ``None`` without an error."""
        if not np.isfinite(self.error):
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, 0.5 + confidence / 2.0)) * self.error
        return max(self.value - half, within[0]), min(self.value + half, within[1])

    def p_value(self) -> float | None:
        """Return the two-sided p-value of the hypothesis that the true value is zero."""
        if not np.isfinite(self.error):
            return None
        if self.error == 0.0:
            return 1.0 if self.value == 0.0 else 0.0
        from scipy.special import stdtr

        return float(2.0 * stdtr(self.freedom, -abs(self.value) / self.error))


def block_places(block: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the place of each row's block among the blocks that there are, by their numbers.

    Examples
    --------
    >>> block_places(np.array([7, 3, 7])).tolist(), block_places(np.array([3, 7, 7])).tolist()
    ([1, 0, 1], [0, 1, 1])
    """
    if (block[1:] < block[:-1]).any():
        return np.unique(block, return_inverse=True)[1]
    return np.cumsum(run_starts(block)) - 1  # nothing to sort, as for most contests


def block_sums(influence: FloatArray, block: NDArray[np.int64]) -> FloatArray:
    """Add up the influence of the rows of each block, in the order of the blocks' numbers."""
    return np.asarray(np.bincount(block_places(block), influence), dtype=np.float64)


def mean_influence(values: FloatArray, weight: FloatArray, *, root: bool = False) -> FloatArray:
    """Return how far each row moves a weighted mean, or the square root of one, to first order.

    The influences add up to zero. Source: the delta method, for example A. W. van der Vaart
    (1998), Asymptotic Statistics, chapter 3.
    """
    total = weight.sum()
    mean = values @ weight / total
    influence = np.asarray(weight * (values - mean) / total)
    if not root:
        return influence
    return influence / (2.0 * np.sqrt(mean)) if mean > 0.0 else influence


def independent_error(sums: FloatArray) -> tuple[float, int]:
    """Return the standard error and degrees of freedom where blocks are independent.

    Source: K.-Y. Liang and S. L. Zeger (1986), Longitudinal data analysis using generalized
    linear models, Biometrika 73, with the factor G / (G − 1) for G blocks; with one row in each
    block it is the paired t-test.
    """
    count = len(sums)
    if count < 2:
        return np.nan, 0
    return float(np.sqrt(count / (count - 1) * (sums @ sums))), count - 1


def serial_error(sums: FloatArray) -> tuple[float, int]:
    """Return the standard error and degrees of freedom where blocks follow each other in time.

    The long-run variance is the mean of the first B squared cosine transforms, and the ratio
    follows t with B degrees of freedom. B = 2 ⌊n^⅓⌋ is the number of ordinates that keeps the
    size of a test of equal predictive accuracy in small samples.

    Source: E. Lazarus, D. J. Lewis, J. H. Stock and M. W. Watson (2018), HAR inference:
    recommendations for practice, Journal of Business & Economic Statistics 36; L. Coroneo and
    F. Iacone (2020), Comparing predictive accuracy in small samples using fixed-smoothing
    asymptotics, Journal of Applied Econometrics 35.
    """
    count = len(sums)
    if count < FEWEST_IN_TIME:
        return np.nan, 0
    freedom = 2 * int(np.cbrt(count) + 1e-9)
    position = (np.arange(count) + 0.5) / count
    cosines = np.cos(np.pi * np.outer(np.arange(1, freedom + 1), position))
    return float(np.sqrt(2.0 * np.mean((cosines @ sums) ** 2))), freedom


def jackknife_error(
    estimate: Callable[[NDArray[np.intp]], float],
    block: NDArray[np.int64],
    *,
    serial: bool,
    kind: NDArray[np.generic] | None = None,
) -> tuple[float, int]:
    """Return the standard error and degrees of freedom of what is no mean, such as an AUC.

    Groups of whole blocks are left out in turn: random ones where blocks are independent,
    neighbours in time otherwise. Groups rather than single blocks keep it consistent for
    quantities that are not smooth.

    Parameters
    ----------
    estimate
        Takes the positions of the rows that are left.
    kind : ndarray, shape (rows,), or None
        Of what tells kinds of rows apart, which one each is of. Certainty then comes from the
        blocks of the rarest kind: an AUC of four events is as certain as four numbers are.

    Source: J. Shao and D. Tu (1995), The Jackknife and Bootstrap, section 2.3; P. S. Kott
    (2001), The delete-a-group jackknife, Journal of Official Statistics 17.
    """
    place = block_places(block)
    count = int(place.max()) + 1 if len(place) else 0
    groups = min(count, GROUPS)
    if groups < FEWEST_IN_TIME:
        return np.nan, 0
    group = np.arange(count) * groups // count
    if not serial:
        group = np.random.default_rng(0).permutation(group)
    of_row = group[place]
    left = np.array([estimate(np.flatnonzero(of_row != number)) for number in range(groups)])
    deviations = left - left.mean()
    error = float(np.sqrt((groups - 1) / groups * (deviations @ deviations)))
    return error, max(min([groups, *_kinds(place, kind)]) - 1, 1)


def _kinds(place: NDArray[np.intp], kind: NDArray[np.generic] | None) -> list[int]:
    """Return how many blocks have rows of each kind."""
    if kind is None:
        return []
    return [len(np.unique(place[kind == one])) for one in np.unique(kind)]
