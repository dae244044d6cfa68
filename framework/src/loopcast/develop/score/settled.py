"""Preparations that have to see what a template makes of rows before they know what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from loopcast.api import Mitigation, ScoreData, Scorer

if TYPE_CHECKING:
    from loopcast.develop.decision import Decision

FitOne = Callable[[ScoreData], Scorer]
"""Fits the template to rows; raises what stopped it."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What trials have settled; a file of the bundle keeps it.

    Attributes
    ----------
    options
        Of the preparation, as plain values, with everything that had been left open.
    told
        How it was settled, in sentences for the readers of the version's documentation.
    """

    options: dict[str, Any]
    told: tuple[str, ...] = ()


@runtime_checkable
class Settling(Mitigation, Protocol):
    """A mitigation whose options are settled by trials before it prepares."""

    def settle(
        self, data: ScoreData, options: Any, decision: Decision, fit: FitOne, seed: int
    ) -> Settled:
        """Return options that leave nothing open.

        Raises
        ------
        LoopcastError
            Where the data does not allow it, or what stopped a trial.
        """
        ...
