"""What an expert says about bins, apart from their code, since every start reads it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Monotone = Literal["none", "auto", "increasing", "decreasing"]
"""How risk moves with a number; ``auto`` takes the direction from the data."""


class Characteristic(Hyperparameters, frozen=True):
    """An expert's word on one characteristic; what is left out is found from the data.

    Attributes
    ----------
    cuts
        Ascending bounds of the intervals of a number; an empty list is a single interval.
    specials
        Numbers with a bin of their own.
    groups
        Groups of categories; those in no group share the bin *other*.
    monotone
        How risk moves along the intervals.
    """

    cuts: tuple[float, ...] | None = None
    specials: tuple[float, ...] = ()
    groups: tuple[tuple[str, ...], ...] | None = None
    monotone: Monotone | None = None


class BinOptions(Hyperparameters, frozen=True):
    """How bins are made.

    Attributes
    ----------
    bins
        How many intervals or groups a characteristic has at most.
    minimum_share
        Share of the rows that an interval holds at least.
    rare
        Categories with a smaller share of the rows are in the bin *other*.
    monotone
        Of every number of which nothing else is said.
    characteristics
        What an expert says, by feature.
    """

    bins: Annotated[int, msgspec.Meta(ge=2, le=200)] = 12
    minimum_share: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.02
    rare: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.005
    monotone: Monotone = "none"
    characteristics: dict[str, Characteristic] = {}

    def monotone_of(self, feature: str) -> Monotone:
        """Return how risk moves with a feature."""
        said = self.characteristics.get(feature, Characteristic()).monotone
        return self.monotone if said is None else said
