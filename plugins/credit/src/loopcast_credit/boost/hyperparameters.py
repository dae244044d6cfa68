"""Hyperparameters of boosting, apart from its code, since every start reads them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters
from loopcast_credit.additive.scale import Scale

Rate = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Direction = Literal["increasing", "decreasing"]


class BoostParameters(Hyperparameters, frozen=True):
    """Hyperparameters that both templates share.

    Attributes
    ----------
    rounds
        Number of trees.
    learning_rate
        Share of each tree's answer that is taken.
    minimum_rows
        Fewest training rows in a leaf.
    ridge
        Penalty on half the square of a leaf's value.
    row_share, feature_share
        Share of the rows and of the features that each tree sees.
    monotone
        How risk moves with a number, by feature.
    minimum_events
        Fewest training rows with the event, and fewest without.
    scale
        Of the points.
    """

    rounds: Annotated[int, msgspec.Meta(ge=1)] = 300
    learning_rate: Rate = 0.04
    minimum_rows: Annotated[int, msgspec.Meta(ge=1)] = 40
    ridge: Annotated[float, msgspec.Meta(ge=0.0)] = 5.0
    row_share: Rate = 0.6
    feature_share: Rate = 0.5
    monotone: dict[str, Direction] = {}
    minimum_events: Annotated[int, msgspec.Meta(ge=1)] = 20
    scale: Scale = Scale()


class BoostingParameters(BoostParameters, frozen=True):
    """Hyperparameters of boosted trees.

    Attributes
    ----------
    leaves
        How many a tree has at most.
    """

    leaves: Annotated[int, msgspec.Meta(ge=2, le=256)] = 6


class BoostedScorecardParameters(BoostParameters, frozen=True):
    """Hyperparameters of a scorecard of boosted stumps.

    Attributes
    ----------
    resolution
        Neighbouring intervals whose points differ by less than this become one.
    """

    rounds: Annotated[int, msgspec.Meta(ge=1)] = 800
    learning_rate: Rate = 0.05
    minimum_rows: Annotated[int, msgspec.Meta(ge=1)] = 20
    row_share: Rate = 0.5
    resolution: Annotated[float, msgspec.Meta(ge=0.0)] = 0.5
