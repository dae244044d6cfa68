"""The hyperparameters of alternating least squares."""

from __future__ import annotations

from loopcast_recommender.history.hyperparameters import Count, Positive, TuningParameters


class AlsParameters(TuningParameters, frozen=True):
    """Hyperparameters of ``recommender.als``; the defaults suit small segments too.

    Attributes
    ----------
    factors, penalties
        Number of factors and penalty of their squares to choose from. Many factors with a small
        penalty, as the library has them by default, fall below popularity on small segments.
    confidence
        Weight of a choice beside that of none, which is 1.
    iterations
        Rounds over entities and items.
    """

    factors: tuple[Count, ...] = (8, 16, 32)
    penalties: tuple[Positive, ...] = (3.0, 10.0, 30.0)
    confidence: Positive = 5.0
    iterations: Count = 12
