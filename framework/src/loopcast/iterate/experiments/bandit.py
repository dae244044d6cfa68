"""Thompson sampling in batches, with forgetting and a sharpened posterior.

Each arm's chance of the event has a Beta posterior, and an arm serves the share of the entities
that is the probability of being the best. Outcomes weigh the less the more of them came later, so
that a bandit follows rewards that drift; and each counts as several, since discounting alone keeps
the posterior so wide that rare events are explored for ever.

Sources: W. R. Thompson (1933), On the likelihood that one unknown probability exceeds another,
Biometrika 25; V. Raj and S. Kalyani (2017), Taming non-stationary bandits: a Bayesian approach,
arXiv:1707.09727 (discounting); O. Chapelle and L. Li (2011), An empirical evaluation of Thompson
sampling, NIPS (a sharpened posterior, and delayed batches).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopcast.api import BanditSettings

FloatArray = NDArray[np.float64]

DRAWS = 2000
"""Draws from each posterior: a share is known to about one percent."""

_BATCH = 250  # populations whose draws are in memory at once


def discounted(
    population: NDArray[np.intp],
    arm: NDArray[np.intp],
    reward: FloatArray,
    forgetting: FloatArray,
    arms: int,
) -> tuple[FloatArray, FloatArray]:
    """Count successes and failures, each discounted by how many outcomes came after it.

    Parameters
    ----------
    population, arm : ndarray, shape (n,)
        Of each impression, in the order of time.
    reward : ndarray, shape (n,)
        Between 0 and 1.
    forgetting : ndarray, shape (populations,)
        Of each population.

    Returns
    -------
    ndarray, ndarray, shape (populations, arms)

    Examples
    --------
    >>> one, other = np.zeros(3, np.intp), np.array([0, 1, 0])
    >>> discounted(one, other, np.array([1.0, 1.0, 0.0]), np.array([0.5]), 2)
    (array([[0.25, 0.5 ]]), array([[1., 0.]]))
    """
    populations = len(forgetting)
    order = np.argsort(population, kind="stable")
    sizes = np.bincount(population, minlength=populations)
    ends = np.cumsum(sizes)
    later = np.empty(len(population))
    later[order] = np.repeat(ends, sizes) - 1 - np.arange(len(population))
    weight = forgetting[population] ** later
    cell = population * arms + arm
    shape = (populations, arms)
    won = np.bincount(cell, weight * reward, minlength=populations * arms)
    lost = np.bincount(cell, weight * (1.0 - reward), minlength=populations * arms)
    return np.asarray(won.reshape(shape), np.float64), np.asarray(lost.reshape(shape), np.float64)


def shares(successes: FloatArray, failures: FloatArray, settings: BanditSettings) -> FloatArray:
    """Return the share of the entities that each arm serves.

    Parameters
    ----------
    successes, failures : ndarray, shape (populations, arms)
        Discounted counts.

    Returns
    -------
    ndarray, shape (populations, arms)
        Each at least the floor's part; they add up to 1.

    Examples
    --------
    >>> found = shares(np.array([[9.0, 1.0]]), np.array([[91.0, 99.0]]), BanditSettings())
    >>> found.round(2)
    array([[0.99, 0.01]])
    """
    random, arms = np.random.default_rng(0), successes.shape[1]
    best = np.empty(successes.shape)
    for start in range(0, len(best), _BATCH):
        part = slice(start, start + _BATCH)
        draws = random.beta(
            1.0 + settings.sharpness * successes[part, :, None],
            1.0 + settings.sharpness * failures[part, :, None],
            size=(*successes[part].shape, DRAWS),
        )
        leading = draws.argmax(axis=1)
        for arm in range(arms):
            best[part, arm] = (leading == arm).mean(axis=1)
    return np.asarray((1.0 - settings.floor) * best + settings.floor / arms)
