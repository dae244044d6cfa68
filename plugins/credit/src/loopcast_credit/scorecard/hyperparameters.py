"""Hyperparameters of a scorecard, apart from its code, since every start reads them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast_credit.additive.scale import Scale
from loopcast_credit.bins.options import BinOptions


class ScorecardParameters(BinOptions, frozen=True):
    """Hyperparameters of a scorecard.

    Attributes
    ----------
    weights
        ``smooth``: each bin has a weight of its own, held to its neighbours' as strongly as the
        data says. ``woe``: bins have their weight of evidence, times one coefficient for each
        characteristic.
    ridge
        Penalty on the coefficients of weights of evidence.
    resolution
        Neighbouring intervals whose points differ by less than this become one.
    minimum_events
        Fewest training rows with the event, and fewest without.
    scale
        Of the points.
    """

    weights: Literal["smooth", "woe"] = "smooth"
    ridge: Annotated[float, msgspec.Meta(ge=0.0)] = 1.0
    resolution: Annotated[float, msgspec.Meta(ge=0.0)] = 1.0
    minimum_events: Annotated[int, msgspec.Meta(ge=1)] = 20
    scale: Scale = Scale()


class TwoStageParameters(ScorecardParameters, frozen=True):
    """Hyperparameters of a scorecard in two stages.

    Attributes
    ----------
    first
        Features of the first stage, such as those of a credit bureau.
    """

    first: tuple[str, ...] = ()
