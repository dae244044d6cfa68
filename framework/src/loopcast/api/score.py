"""The task *score*: rows of features to the probability of an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

EVENT, OTHER, BOTH = 1, 2, 3
"""Codes of decision sets: the event, that it does not happen, or either."""

SET_NAMES = ("", "event", "no event", "both")
"""Decision sets in words, by their code."""

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api.schema import ScoreSchema
    from loopcast.api.template import Files


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreData:
    """Rows to learn from.

    Attributes
    ----------
    features : DataFrame, shape (rows, features)
        The used features, indexed by the row's key: numbers and flags as float64 with NaN for
        missing, categories as pandas ``category``.
    attributes : DataFrame, shape (rows, attributes), or None
        Features that no scorer is shown, such as protected ones by which fairness is measured.
    target : ndarray, shape (rows,), float64
        1 where the event happened, 0 where it did not, NaN where the outcome is unknown.
    weight : ndarray, shape (rows,), float64
        Weight of each row to learn by, ones where nothing is declared.
    time : ndarray, shape (rows,), datetime64, or None
        When each row was observed, for out-of-time validation.
    accepted : ndarray, shape (rows,), bool, or None
        Whether each row was accepted; the outcome of others cannot be known. ``None`` where the
        schema does not tell.
    chance : ndarray, shape (rows,), float64, or None
        Probability with which each accepted row was accepted, by whose inverse rows are judged.
    schema
        What the columns mean.
    """

    features: pd.DataFrame
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    schema: ScoreSchema
    time: NDArray[np.datetime64] | None = None
    attributes: pd.DataFrame | None = None
    accepted: NDArray[np.bool_] | None = None
    chance: NDArray[np.float64] | None = None

    @property
    def amount(self) -> NDArray[np.float64] | None:
        """How much is at stake in each row, shape (rows,); ``None`` where no column says it."""
        if self.schema.amount is None:
            return None
        return self.features[self.schema.amount].to_numpy("float64")

    def take(self, rows: NDArray[np.intp]) -> ScoreData:
        """Return rows by their place, any of them more than once.

        Parameters
        ----------
        rows : ndarray, shape (n,)
        """
        return ScoreData(
            features=self.features.iloc[rows],
            attributes=None if self.attributes is None else self.attributes.iloc[rows],
            target=self.target[rows],
            weight=self.weight[rows],
            time=None if self.time is None else self.time[rows],
            accepted=None if self.accepted is None else self.accepted[rows],
            chance=None if self.chance is None else self.chance[rows],
            schema=self.schema,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """What a scorer says.

    Attributes
    ----------
    probability : ndarray, shape (rows,), float64
        Of the event.
    points : ndarray, shape (rows,), float64, or None
        The same on the scale of a scorecard, where the template has one.
    sets : ndarray, shape (rows,), int8, or None
        Decision sets where the logical model asks for them: ``EVENT``, ``OTHER`` or ``BOTH``. A
        template need not give any: the core adds them.
    """

    probability: NDArray[np.float64]
    points: NDArray[np.float64] | None = None
    sets: NDArray[np.int8] | None = None


@runtime_checkable
class Scorer(Protocol):
    """A fitted scoring model."""

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows of used features in one pass; categories may be unseen ones."""
        ...

    def save(self) -> Files:
        """Return the fitted state as files in formats that cannot run code."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Contributions:
    """What each part of a scorer adds to the log-odds of each row.

    Attributes
    ----------
    parts
        Names of features, or of what a person would name in their place, such as rules.
    base
        The log-odds that the parts add to: those of an average row.
    added : ndarray, shape (rows, parts), float64
        With the base, they add up to the log-odds of the row's probability before calibration.
    method
        How they were found, for people: ``the points of the card``.
    """

    parts: tuple[str, ...]
    base: float
    added: NDArray[np.float64]
    method: str


@runtime_checkable
class ExplainedScorer(Scorer, Protocol):
    """A scorer that knows exactly what each of its parts adds."""

    def explain(self, rows: pd.DataFrame) -> Contributions:
        """Return what each part adds to the log-odds of each row, in one pass."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreOutcome:
    """Probabilities and what came true; what a score metric is computed from.

    Attributes
    ----------
    actual, probability, weight : ndarray, shape (n,)
    sets : ndarray, shape (n,), int8, or None
        Decision sets, as :class:`Scores` has them.
    amount : ndarray, shape (n,), or None
        How much is at stake in each row, where the schema names a column for it.
    """

    actual: NDArray[np.float64]
    probability: NDArray[np.float64]
    weight: NDArray[np.float64]
    sets: NDArray[np.int8] | None = None
    amount: NDArray[np.float64] | None = None
