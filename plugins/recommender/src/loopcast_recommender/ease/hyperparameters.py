"""The hyperparameters of EASE."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Positive = Annotated[float, msgspec.Meta(gt=0.0)]


class EaseParameters(Hyperparameters, frozen=True):
    """Hyperparameters of ``recommender.ease``.

    Attributes
    ----------
    ridges
        λ to choose from, in choices; with a single one there is nothing to choose.
    half_lives
        Later choices of an entity after which an earlier one weighs half as much when its list
        is made; ``None``: it never loses weight.
    inner
        What is held out of the training data to choose by: the ``last`` choices of each entity,
        or as many of them at ``random``.
    count
        How many choices of each entity are held out, at most a third of them.
    """

    ridges: tuple[Positive, ...] = (10.0, 30.0, 100.0, 300.0, 1000.0)
    half_lives: tuple[Positive | None, ...] = (None, 30.0, 10.0, 3.0)
    inner: Literal["last", "random"] = "last"
    count: Annotated[int, msgspec.Meta(ge=1)] = 5

    def __post_init__(self) -> None:
        """There is something to choose from."""
        if not self.ridges or not self.half_lives:
            raise ValueError("ridges and half_lives need at least one value each")
