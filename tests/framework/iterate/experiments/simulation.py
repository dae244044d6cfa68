"""Simulated worlds of rare clicks, in which bandits and fixed tests serve entities night by night.

Used by the tests, and at full size by the benchmark.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loopcast.api import BanditSettings
from loopcast.iterate.experiments.bandit import discounted, shares

FloatArray = NDArray[np.float64]
World = Literal["stationary", "abrupt", "drifting"]
WORLDS: tuple[World, ...] = ("stationary", "abrupt", "drifting")

ARMS, IMPRESSIONS, NIGHT = 4, 20_000, 500
PLAIN = BanditSettings(forgetting=1.0, sharpness=1.0, floor=1e-9)
"""Thompson sampling as it was in 1933."""


def click_rates(world: World) -> FloatArray:
    """Return the rate of each arm at each impression, shape (impressions, arms).

    Between 1.5 and 5.5 %. *abrupt*: the order of the arms turns round half way; *drifting*: each
    arm is the best for a quarter.
    """
    time = np.arange(IMPRESSIONS)[:, None]
    up = np.array([0.02, 0.03, 0.04, 0.05])
    if world == "stationary":
        return np.tile(up, (IMPRESSIONS, 1))
    if world == "abrupt":
        return np.where(time < IMPRESSIONS // 2, up[::-1], up)
    phase = 2.0 * np.pi * np.arange(ARMS) / ARMS
    return np.asarray(0.035 + 0.02 * np.sin(2.0 * np.pi * time / IMPRESSIONS + phase))


def lost_by_bandit(rates: FloatArray, settings: BanditSettings, runs: int, seed: int) -> FloatArray:
    """Return the expected conversions lost to always serving the best arm, shape (runs,)."""
    random, lost = np.random.default_rng(seed), np.zeros(runs)
    won, failed = np.zeros((runs, ARMS)), np.zeros((runs, ARMS))
    share = np.full((runs, ARMS), 1.0 / ARMS)
    run = np.repeat(np.arange(runs), NIGHT)
    for start in range(0, IMPRESSIONS, NIGHT):
        night = rates[start : start + NIGHT]
        bounds = np.cumsum(share, axis=1)[:, None, :-1]
        arm = (random.random((runs, NIGHT, 1)) >= bounds).sum(axis=2)
        rate = night[np.arange(NIGHT), arm]
        lost += (night.max(axis=1) - rate).sum(axis=1)
        clicked = (random.random((runs, NIGHT)) < rate).astype(np.float64)
        forgetting = np.full(runs, settings.forgetting)
        new = discounted(run, arm.ravel(), clicked.ravel(), forgetting, ARMS)
        kept = settings.forgetting**NIGHT
        won, failed = kept * won + new[0], kept * failed + new[1]
        share = shares(won, failed, settings)
    return lost


def lost_by_fixed_test(rates: FloatArray, runs: int, seed: int) -> FloatArray:
    """Return what is lost by dividing the first half evenly, and serving its winner after it."""
    random, half = np.random.default_rng(seed), IMPRESSIONS // 2
    lost = np.zeros(runs)
    for run in range(runs):
        arm = random.integers(0, ARMS, half)
        rate = rates[np.arange(half), arm]
        clicked = random.random(half) < rate
        share = np.bincount(arm, clicked, ARMS) / np.bincount(arm, minlength=ARMS)
        lost[run] = (rates[:half].max(axis=1) - rate).sum()
        lost[run] += (rates[half:].max(axis=1) - rates[half:, share.argmax()]).sum()
    return lost


def ab_tests(
    rates: tuple[float, float], size: int, every: int, runs: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Simulate A/B tests of clicks, looked at again and again.

    Returns
    -------
    ndarray, ndarray, shape (runs, looks)
        Difference of the arms, and its estimated variance.
    """
    random, looks = np.random.default_rng(seed), size // every
    seen = every * np.arange(1, looks + 1)
    shares = [
        np.cumsum(random.binomial(every, rate, (runs, looks)), axis=1) / seen for rate in rates
    ]
    variances = [share * (1.0 - share) / (seen - 1) for share in shares]
    return shares[1] - shares[0], variances[0] + variances[1]
