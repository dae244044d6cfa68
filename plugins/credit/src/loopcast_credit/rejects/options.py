"""Options of reject inference, apart from its code, since every start reads them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api import Hyperparameters

Factor = Annotated[float, msgspec.Meta(gt=0.0, le=20.0)]
Bands = Annotated[int, msgspec.Meta(ge=2, le=100)]


class ReweightingOptions(Hyperparameters, frozen=True):
    """Options of weights by the inverse probability of acceptance.

    Attributes
    ----------
    least
        Probabilities of acceptance below this count as this, so that no row stands for more than
        its inverse.
    """

    least: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.05


class AugmentationOptions(Hyperparameters, frozen=True):
    """Options of augmentation.

    Attributes
    ----------
    bands
        Bands of the score, of equal numbers of applicants.
    """

    bands: Bands = 10


class FuzzyOptions(Hyperparameters, frozen=True):
    """Options of fuzzy parcelling.

    Attributes
    ----------
    odds
        How many times higher the odds of the event are for rejected applicants than for accepted
        ones who look the same.
    """

    odds: Factor = 1.0


class ParcellingOptions(Hyperparameters, frozen=True):
    """Options of parcelling.

    Attributes
    ----------
    bands
        Bands of the score, of equal numbers of applicants.
    rate
        How many times higher the event rate of the rejected applicants of a band is than that of
        its accepted ones.
    """

    bands: Bands = 10
    rate: Factor = 1.0


class ExternalOptions(Hyperparameters, frozen=True):
    """Options of calibration on external data.

    Attributes
    ----------
    column
        Feature that is known of rejected applicants too and tells of their risk, such as a
        bureau's score or how they paid another lender; it may be one that no score uses.
    """

    column: str = ""
