"""EASE: a linear model from items to items, in closed form.

Source: H. Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW '19.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast_recommender.ease.hyperparameters import EaseParameters
from loopcast_recommender.templates.tuned import Tuned

if TYPE_CHECKING:
    from loopcast_recommender.ease.method import Ridge
    from loopcast_recommender.history.method import Method


class Ease(Tuned):
    """Template: each item is foretold by the others that the entity chose."""

    name = "recommender.ease"
    summary = "a linear model from items to items in closed form, tuned for each segment"
    hyperparameters = EaseParameters

    def method(self) -> Method[Ridge]:
        """Return EASE."""
        from loopcast_recommender.ease.method import EASE

        return EASE

    def options(self, p: EaseParameters) -> Sequence[Ridge]:
        """Return the ridges."""
        from loopcast_recommender.ease.method import Ridge

        return [Ridge(ridge) for ridge in sorted(p.ridges)]
