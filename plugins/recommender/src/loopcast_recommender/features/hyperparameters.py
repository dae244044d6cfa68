"""The hyperparameters of the features template."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast_recommender.ease.hyperparameters import EaseParameters
from loopcast_recommender.history.hyperparameters import Count, Positive


class FeatureParameters(EaseParameters, frozen=True):
    """Hyperparameters of ``recommender.features``, beside those of the model of candidates.

    Attributes
    ----------
    candidates
        Best items of an entity by its history that are looked at again.
    bins
        Into which numbers are cut, at their quantiles.
    smoothing
        Choices of everyone that are added to those of a group, so that small groups say little.
    pay_day
        Day of the month; how many days remain to it is part of the context.
    penalty
        Of the squares of the weights.
    """

    candidates: Count = 100
    bins: Annotated[int, msgspec.Meta(ge=2, le=20)] = 5
    smoothing: Positive = 50.0
    pay_day: Annotated[int, msgspec.Meta(ge=1, le=28)] = 28
    penalty: Positive = 1.0
