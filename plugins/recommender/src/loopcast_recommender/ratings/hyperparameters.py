"""The hyperparameters of ratings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api import Hyperparameters

Count = Annotated[int, msgspec.Meta(ge=1)]


class RatingParameters(Hyperparameters, frozen=True):
    """Hyperparameters of ``recommender.ratings``.

    Attributes
    ----------
    factors
        Of each entity and item, beside its bias.
    burn_in
        Draws that are thrown away.
    draws
        Draws that are kept and averaged.
    every
        Draws between two that are kept: neighbours resemble each other, and each takes space.
    """

    factors: Count = 7
    burn_in: Count = 20
    draws: Count = 60
    every: Count = 2
