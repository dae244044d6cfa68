"""What another policy would have earned, from events whose propensity was logged.

Each estimator weighs an outcome by the ratio of the probabilities with which the other policy, and
the one that was at work, choose the version that answered. It needs that whatever the other policy
may choose was chosen with some probability; a bandit's floor sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopcast.develop.inference import Estimate, block_sums, independent_error, mean_influence

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Value:
    """What a policy earns for each impression.

    Attributes
    ----------
    influence : ndarray, shape (n,)
        How far each impression moves the value, to first order; two values of the same
        impressions can be subtracted.
    """

    value: float
    influence: FloatArray

    def __sub__(self, other: Value) -> Value:
        return Value(value=self.value - other.value, influence=self.influence - other.influence)

    def estimate(self, block: NDArray[np.int64]) -> Estimate:
        """Return it with its error; impressions of one block (an entity) depend on each other."""
        error, freedom = independent_error(block_sums(self.influence, block))
        return Estimate(value=self.value, error=error, freedom=freedom)


def earned(reward: FloatArray, weight: FloatArray) -> Value:
    """Return what was earned by the policy that was at work: the weighted mean of the rewards."""
    return _mean(reward, weight)


def ips(reward: FloatArray, ratio: FloatArray, weight: FloatArray) -> Value:
    """Return the value by inverse propensity scoring: unbiased, and restless.

    Source: D. G. Horvitz and D. J. Thompson (1952), JASA 47.

    Parameters
    ----------
    reward, ratio : ndarray, shape (n,)
        What came of each impression, and the ratio of the probabilities of the version that
        answered: under the policy in question, over its logged propensity.
    weight : ndarray, shape (n,)
        Inverse of the probability that the impression was logged.
    """
    return _mean(ratio * reward, weight)


def snips(reward: FloatArray, ratio: FloatArray, weight: FloatArray) -> Value:
    """Return the self-normalised value: biased by little, and far steadier than :func:`ips`.

    Source: A. Swaminathan and T. Joachims (2015), The self-normalized estimator for
    counterfactual learning, NIPS.
    """
    return _mean(reward, ratio * weight)


def doubly_robust(
    reward: FloatArray,
    ratio: FloatArray,
    weight: FloatArray,
    *,
    expected: FloatArray,
    expected_under_policy: FloatArray,
) -> Value:
    """Return the value by a model of rewards, corrected where it was wrong.

    It is right where the propensities are, whatever the model, and the steadier the better the
    model. Source: M. Dudík, J. Langford and L. Li (2011), Doubly robust policy evaluation and
    learning, ICML.

    Parameters
    ----------
    expected : ndarray, shape (n,)
        The model's reward of the version that answered.
    expected_under_policy : ndarray, shape (n,)
        The mean of the model's rewards over the policy's choices for the same impression. The
        model has not seen these rewards.
    """
    return _mean(expected_under_policy + ratio * (reward - expected), weight)


def effective_size(ratio: FloatArray, weight: FloatArray) -> float:
    """Return how many equal impressions the weighted ones are worth (L. Kish 1965).

    Examples
    --------
    >>> effective_size(np.array([1.0, 1.0, 0.0]), np.ones(3))
    2.0
    """
    total = ratio * weight
    return float(total.sum() ** 2 / (total @ total)) if total.any() else 0.0


def _mean(terms: FloatArray, weight: FloatArray) -> Value:
    if not weight.any():
        return Value(value=np.nan, influence=np.zeros(len(terms)))
    value = float(terms @ weight / weight.sum())
    return Value(value=value, influence=mean_influence(terms, weight))
