"""Scale of a scorecard's points.

    points = offset − factor · log-odds
    factor = double / ln 2,   offset = base − factor · ln odds

Source: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), chapter 10: ``base`` points mean
``odds`` to one against the event, and every ``double`` points double them.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

from loopcast.api import Hyperparameters


class Scale(Hyperparameters, frozen=True):
    """Scale of the points.

    Attributes
    ----------
    base
        Points of an applicant whose odds are ``odds``.
    odds
        How many times likelier it is that the event does not happen.
    double
        Points that double the odds.
    """

    base: float = 600.0
    odds: Annotated[float, msgspec.Meta(gt=0.0)] = 50.0
    double: Annotated[float, msgspec.Meta(gt=0.0)] = 20.0

    @property
    def factor(self) -> float:
        """Points for one unit of log-odds."""
        return self.double / math.log(2.0)

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return self.base - self.factor * math.log(self.odds)
