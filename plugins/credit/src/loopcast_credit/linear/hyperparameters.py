"""Hyperparameters of logistic regression, apart from its code, since every start reads them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api import Hyperparameters
from loopcast_credit.additive.scale import Scale


class LogisticParameters(Hyperparameters, frozen=True):
    """Hyperparameters of logistic regression.

    Attributes
    ----------
    ridge
        Penalty on half the square of each coefficient, of numbers in standard deviations.
    rare
        Categories with a smaller share of the rows count as *other*.
    minimum_events
        Fewest training rows with the event, and fewest without.
    scale
        Of the points.
    """

    ridge: Annotated[float, msgspec.Meta(ge=0.0)] = 1.0
    rare: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.005
    minimum_events: Annotated[int, msgspec.Meta(ge=1)] = 20
    scale: Scale = Scale()
