"""The state of a model from one interval to the next.

A state says what was forecast of the interval before, so that its calls have to follow each other.
Intervals that nobody asked about (a model that rested, a device that was off) are made good by a
call for each, with what was measured in it, if anything was.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np

from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.package import MOST_MISSED, Loaded
from loopcast_edge.agent.runtime import Floats

Kept = tuple[int, bytes, bytes]
"""A state as it is on the disk: interval, and float32 before and after."""


class Carried(NamedTuple):
    """How far a model's state has come.

    Attributes
    ----------
    interval
        Of the last call.
    before, after
        State that went into it and came out of it, shape (1, k).
    """

    interval: int
    before: Floats
    after: Floats

    def kept(self) -> Kept:
        """Return it for the disk."""
        before, after = (state.astype("<f4").tobytes() for state in (self.before, self.after))
        return self.interval, before, after

    @classmethod
    def restored(cls, kept: Kept) -> Carried:
        """Return what :meth:`kept` was made of."""
        before, after = (np.frombuffer(state, "<f4").reshape(1, -1) for state in kept[1:])
        return cls(kept[0], before, after)

    def fits(self, loaded: Loaded) -> bool:
        """Whether it is a state of this model."""
        own = loaded.manifest.state
        return own is not None and own.shape == self.before.shape == self.after.shape


def state_at(loaded: Loaded, interval: int, carried: Optional[Carried]) -> Optional[Floats]:
    """Return the state with which a model is asked about an interval, None if it has none.

    Where it :func:`begins_anew`, that is the state of its manifest. An interval before the last
    call is asked about with the oldest state that is known.
    """
    if loaded.manifest.state is None:
        return None
    if carried is None or begins_anew(interval, carried):
        return loaded.manifest.state.array()
    if interval <= carried.interval:
        return carried.before
    state: Optional[Floats] = carried.after
    try:
        for missed in range(carried.interval + 1, interval):
            _, state = loaded.model.predict(loaded.features.row(missed).features, state)
    except ModelError:
        return loaded.manifest.state.array()
    return state


def begins_anew(interval: int, carried: Carried) -> bool:
    """Tell whether an interval is too far from the last call: after a gap, or a clock went back."""
    return abs(interval - carried.interval) > MOST_MISSED
