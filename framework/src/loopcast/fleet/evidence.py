"""Whether the realised error of a package is no worse than its champion's, as stated beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loopcast.api import ErrorTest, Observed

Verdict = Literal["no worse", "worse", "open"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at the errors found.

    Attributes
    ----------
    ratio
        Geometric mean over devices of the package's mean absolute error, as a share of the
        champion's.
    p_no_worse, p_worse
        How likely so small, and so large, a ratio is where the true one is at the margin.
    devices
        How many were compared.
    """

    verdict: Verdict
    ratio: float
    p_no_worse: float
    p_worse: float
    devices: int

    @property
    def evidence(self) -> dict[str, float]:
        """The numbers, for the history."""
        return {
            "ratio": self.ratio,
            "p_no_worse": self.p_no_worse,
            "p_worse": self.p_worse,
            "devices": float(self.devices),
        }


def needed_pairs(test: ErrorTest, looks: int) -> int:
    """Return how many paired outcomes a device must have at the look that follows so many."""
    return test.pairs << looks


def comparable(devices: Sequence[Observed], test: ErrorTest, looks: int) -> list[Observed]:
    """Return the devices that run the package and have enough outcomes for the next look."""
    pairs = needed_pairs(test, looks)
    return [each for each in devices if each.health == "healthy" and each.pairs >= pairs]


def compare(devices: Sequence[Observed], test: ErrorTest) -> Look:
    """Compare the errors of a package with its champion's, device by device.

    A one-sided t-test of non-inferiority on the logarithm of each device's ratio of mean absolute
    errors: devices are the independent units, since errors of one device follow from each other.
    The significance is divided by the number of looks, so that looking again costs no more false
    passes than stated (Bonferroni). The same test the other way finds a package that is worse
    than the margin.

    Parameters
    ----------
    devices
        At least three, each with paired outcomes.

    References
    ----------
    S. Wellek (2010), Testing Statistical Hypotheses of Equivalence and Noninferiority, 2nd ed.,
    section 2.2.

    Examples
    --------
    >>> same = Observed(health="healthy", pairs=48, error=100.0, champion_error=100.0)
    >>> compare([same] * 4, ErrorTest(margin=0.05)).verdict
    'no worse'
    """
    logs = np.array([_log_ratio(each) for each in devices])
    if not np.isfinite(logs).all():
        ratio, p_no_worse, p_worse = math.inf, 1.0, 0.0
    else:
        ratio = float(np.exp(logs.mean()))
        p_no_worse, p_worse = _p_values(logs - math.log1p(test.margin))
    level = test.significance / test.looks
    verdict: Verdict = "no worse" if p_no_worse <= level else "open"
    return Look(
        verdict="worse" if p_worse <= level else verdict,
        ratio=ratio,
        p_no_worse=p_no_worse,
        p_worse=p_worse,
        devices=len(devices),
    )


def _log_ratio(device: Observed) -> float:
    """Return the log of the ratio of errors; a champion without any error cannot be beaten."""
    if device.champion_error == 0.0:
        return 0.0 if device.error == 0.0 else math.inf
    return math.log(max(device.error / device.champion_error, 1e-12))


def _p_values(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the probabilities of so small and so large a mean where the true one is zero."""
    from scipy.special import stdtr

    count = len(differences)
    mean, deviation = differences.mean(), differences.std(ddof=1)
    if deviation < 1e-12:  # all devices agree to the last digit, as replayed ones do
        return (0.0, 1.0) if mean < 0 else (1.0, 0.0) if mean > 0 else (0.5, 0.5)
    below = float(stdtr(count - 1, mean / (deviation / math.sqrt(count))))
    return below, 1.0 - below
