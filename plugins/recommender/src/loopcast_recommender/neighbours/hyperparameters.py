"""The hyperparameters of nearest items."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast_recommender.history.hyperparameters import Count, TuningParameters


class NeighbourParameters(TuningParameters, frozen=True):
    """Hyperparameters of ``recommender.item_knn``.

    Attributes
    ----------
    neighbours
        How many similar items of each item count.
    shrinkages
        Added to the denominator of the cosine: similarities of few common entities weigh less.
    """

    neighbours: tuple[Count, ...] = (20, 100)
    shrinkages: tuple[Annotated[float, msgspec.Meta(ge=0.0)], ...] = (0.0, 10.0, 100.0)
