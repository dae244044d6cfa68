"""Alternating least squares; see :mod:`loopcast_recommender.als.method`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from loopcast_recommender.als.hyperparameters import AlsParameters
from loopcast_recommender.templates.tuned import Tuned

if TYPE_CHECKING:
    from loopcast_recommender.als.method import Factors
    from loopcast_recommender.history.method import Method


class Als(Tuned):
    """Template: matrix factorisation of implicit feedback."""

    name = "recommender.als"
    summary = "factors of entities and items by alternating least squares, tuned for each segment"
    hyperparameters = AlsParameters

    def method(self) -> Method[Factors]:
        """Return alternating least squares."""
        from loopcast_recommender.als.method import ALS

        return ALS

    def options(self, p: AlsParameters) -> Sequence[Factors]:
        """Return each number of factors with each penalty."""
        from loopcast_recommender.als.method import Factors

        return [
            Factors(count, penalty, p.confidence, p.iterations)
            for count, penalty in product(p.factors, p.penalties)
        ]
