"""Nearest items; see :mod:`loopcast_recommender.neighbours.method`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from loopcast_recommender.neighbours.hyperparameters import NeighbourParameters
from loopcast_recommender.templates.tuned import Tuned

if TYPE_CHECKING:
    from loopcast_recommender.history.method import Method
    from loopcast_recommender.neighbours.method import Nearest


class ItemKnn(Tuned):
    """Template: items that the same entities chose."""

    name = "recommender.item_knn"
    summary = "items that were chosen by the same entities, by a shrunken cosine"
    hyperparameters = NeighbourParameters

    def method(self) -> Method[Nearest]:
        """Return nearest items."""
        from loopcast_recommender.neighbours.method import NEIGHBOURS

        return NEIGHBOURS

    def options(self, p: NeighbourParameters) -> Sequence[Nearest]:
        """Return each number of neighbours with each shrinkage."""
        from loopcast_recommender.neighbours.method import Nearest

        return [Nearest(*option) for option in product(p.neighbours, p.shrinkages)]
