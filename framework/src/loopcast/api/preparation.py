"""Preparation: what is done to rows before a scorer learns from them, and what that assumes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from loopcast.api.score import ScoreData
from loopcast.api.template import Hyperparameters


class Preparation(Protocol):
    """A step between data and template, for every template of the task *score*.

    It sees what a template would see, and gives rows and weights to learn from in its place.
    Rows that a model is judged on never pass through it.

    Attributes
    ----------
    name
        ``domain.method``; what configuration says.
    summary
        One sentence for people who choose.
    options
        Their type, a subclass of :class:`Hyperparameters`.
    """

    @property
    def name(self) -> str:
        """What configuration says."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for people who choose."""
        ...

    @property
    def options(self) -> type[Hyperparameters]:
        """Type of the options."""
        ...

    def assumptions(self, options: Any) -> tuple[str, ...]:
        """Return what has to hold for the result to be right, in sentences for its readers.

        They are printed in the documentation of every version that was trained so.
        """
        ...

    def prepare(self, data: ScoreData, options: Any, seed: int) -> ScoreData:
        """Return rows and weights to learn from.

        Raises
        ------
        LoopcastError
            Where the data does not allow it; this is then the outcome of the segment.
        """
        ...


@runtime_checkable
class Mitigation(Preparation, Protocol):
    """A preparation that gives up accuracy to treat groups more evenly.

    Its versions are alternatives beside the unconstrained one. They carry its label, no run
    releases them, and nobody does without a signature.
    """

    def alternative(self, options: Any) -> str:
        """Return the label of its versions: ``reweighed by sex``."""
        ...
