"""The hyperparameters that all methods share which are tuned on an inner validation."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class TuningParameters(Hyperparameters, frozen=True):
    """How a segment's options are chosen.

    Attributes
    ----------
    half_lives
        Later choices of an entity after which an earlier one weighs half as much when its list
        is made; ``None``: it never loses weight. All are tried. Another one than that of the
        champion has to be clearly better.
    inner
        What is held out of the training data to choose by: the ``last`` choices of each entity,
        or as many of them at ``random``.
    count
        How many choices of each entity are held out, at most a third of them.
    search_every
        Of trainings that begin at the options of a champion, one in so many looks for other ones,
        drawn for each segment and its data; so does every one that has a tenth more choices to
        learn than the last training had. 1: all do.
    """

    half_lives: tuple[Positive | None, ...] = (None, 30.0, 10.0, 3.0)
    inner: Literal["last", "random"] = "last"
    count: Count = 5
    search_every: Count = 3

    def __post_init__(self) -> None:
        """There is something to choose from."""
        empty = [name for name in self.__struct_fields__ if getattr(self, name) == ()]
        if empty:
            raise ValueError(f"{empty[0]} needs at least one value")
