"""The hyperparameters of EASE."""

from __future__ import annotations

from loopcast_recommender.history.hyperparameters import Positive, TuningParameters


class EaseParameters(TuningParameters, frozen=True):
    """Hyperparameters of ``recommender.ease``.

    Attributes
    ----------
    ridges
        λ to choose from, in choices; with a single one there is nothing to choose. The middle one,
        or that of the champion, is tried first, then its neighbours, and on in the direction in
        which lists get better. Another one than the champion's has to be clearly better.
    """

    ridges: tuple[Positive, ...] = (10.0, 30.0, 100.0, 300.0, 1000.0)
