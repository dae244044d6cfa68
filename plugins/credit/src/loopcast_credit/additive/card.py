"""A scorecard: what each bin of each characteristic adds to the log-odds of the event.

log-odds = intercept + Σ_j (value_j[bin] + slope_j[bin] · x_j)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import IntegrityError, ModelError, Record
from loopcast_credit.additive.scale import Scale
from loopcast_credit.bins.bins import Bins

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Effect(Record, frozen=True):
    """What a characteristic adds.

    Attributes
    ----------
    bins
        Of the characteristic.
    values
        Log-odds that each bin adds; zero is the average row of training.
    slopes
        What a unit of the number adds beside, for each interval; empty for steps.
    rows, events
        Weight of the training rows in each bin, and of those with the event.
    """

    bins: Bins
    values: tuple[float, ...]
    slopes: tuple[float, ...] = ()
    rows: tuple[float, ...] = ()
    events: tuple[float, ...] = ()

    def check(self) -> None:
        """Every bin has a value."""
        for name, wanted, optional in [
            ("values", self.bins.size, False),
            ("slopes", self.bins.body, True),
            ("rows", self.bins.size, True),
            ("events", self.bins.size, True),
        ]:
            given = len(getattr(self, name))
            fits = given == wanted or (optional and not given)
            self.require(fits, f"{self.bins.name}: {given} {name} for {wanted} bins")

    def of(self, values: pd.Series[float]) -> NDArray[np.float64]:
        """Return what each row of the characteristic adds, shape (rows,)."""
        codes = self.bins.codes(values)
        added: NDArray[np.float64] = np.array(self.values)[codes]
        if self.slopes:
            inside = codes < self.bins.body
            slope = np.array(self.slopes)[codes[inside]]
            added[inside] += slope * values.to_numpy(np.float64)[inside]
        return added


class Card(Record, frozen=True):
    """A scorecard.

    Attributes
    ----------
    event
        Outcome whose probability is scored, for people.
    intercept
        Log-odds of the average row of training.
    effects
        Of each characteristic, in the order in which they are summed.
    scale
        Of the points.
    """

    event: str
    intercept: float
    effects: tuple[Effect, ...]
    scale: Scale = Scale()

    @property
    def features(self) -> list[str]:
        """Names of the characteristics."""
        return [effect.bins.name for effect in self.effects]

    def points(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log-odds as points."""
        return self.scale.offset - self.scale.factor * log_odds


def card_bytes(card: Card) -> bytes:
    """Encode a card as JSON, numbers exactly."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1)


def read_card(data: bytes) -> Card:
    """Decode a card.

    Raises
    ------
    IntegrityError
        When the bytes are not a card.
    """
    try:
        return msgspec.json.decode(data, type=Card)
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"not a scorecard: {error}") from None


def require_columns(features: list[str], rows: pd.DataFrame) -> None:
    """Check that rows have every feature.

    Raises
    ------
    ModelError
        Naming the first that is missing.
    """
    for name in features:
        if name not in rows.columns:
            raise ModelError(f"rows have no column {name!r}; the model needs {', '.join(features)}")
