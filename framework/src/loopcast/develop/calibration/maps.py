"""Maps from a probability to a calibrated one, as data: they are stored, applied and exported."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from loopcast.api import Record
from loopcast.api.record import NonNegative

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

EDGE = 1e-7
"""Probabilities nearer to 0 or 1 count as this far from it.

Rows that tell them apart would be more than ten million. It keeps log-odds finite, and their
rounding below what an export may differ by.
"""


class BetaMap(Record, frozen=True, tag_field="map", tag="beta"):
    """Calibrated log-odds a · ln p − b · ln(1 − p) + c; with a = b those of Platt's sigmoid.

    ``a`` and ``b`` are at least 0, so that a larger probability never becomes smaller.
    """

    a: float
    b: float
    c: float

    def check(self) -> None:
        """It does not fall."""
        self.require(self.a >= 0.0 and self.b >= 0.0, f"a {self.a} and b {self.b} must be ≥ 0")

    def log_odds(self, clipped: FloatArray) -> FloatArray:
        """Return calibrated log-odds of probabilities inside the edges, shape (rows,)."""
        return np.asarray(self.a * np.log(clipped) - self.b * np.log1p(-clipped) + self.c)


class KnotMap(Record, frozen=True, tag_field="map", tag="knots"):
    """Calibrated log-odds by straight lines between knots.

    Attributes
    ----------
    x, y
        Log-odds before and after, both rising; the first and last ``x`` are the edges.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def check(self) -> None:
        """Knots rise, and there are as many after as before."""
        self.require(len(self.x) == len(self.y) >= 2, "x and y are not of one length of 2 or more")
        rising = np.all(np.diff(self.x) > 0.0) and np.all(np.diff(self.y) >= 0.0)
        self.require(bool(rising), "x has to rise, and y must not fall")

    def log_odds(self, clipped: FloatArray) -> FloatArray:
        """Return calibrated log-odds of probabilities inside the edges, shape (rows,)."""
        return np.asarray(np.interp(logit(clipped), self.x, self.y))

    def lines(self) -> Iterator[tuple[float, float, float, float]]:
        """Yield of each line where it starts and ends, its value at the start, and its slope."""
        for (x, end), (y, after) in zip(pairwise(self.x), pairwise(self.y), strict=True):
            yield x, end, y, (after - y) / (end - x)


CalibrationMap: TypeAlias = BetaMap | KnotMap


class Calibration(Record, frozen=True):
    """How the probabilities of a scorer are calibrated.

    Attributes
    ----------
    method
        By which the maps were learned.
    whole
        Of rows whose group has no map of its own.
    by, groups
        A feature that groups rows, and the map of each group that has one.
    rows, events
        Known outcomes that the maps were learned from, and how many of them had the event.
    tried
        Log loss of each method among which the data chose, on rows that its map had not seen;
        empty where the method was given.
    """

    method: Literal["platt", "isotonic", "beta"]
    whole: CalibrationMap
    rows: NonNegative
    events: NonNegative
    by: str | None = None
    groups: dict[str, CalibrationMap] = {}
    tried: dict[str, float] = {}

    @property
    def statement(self) -> str:
        """Say how probabilities are calibrated, for people."""
        losses = ", ".join(f"{name} {loss:.4f}" for name, loss in self.tried.items())
        why = f", chosen by log loss on rows that no map had seen: {losses}" if losses else ""
        return f"{self.method}, from {self.rows:,} predictions out of fold{why}"

    def apply(self, probability: FloatArray, rows: pd.DataFrame) -> FloatArray:
        """Return calibrated probabilities, shape (rows,).

        Parameters
        ----------
        probability
            Of the scorer.
        rows
            That it scored.
        """
        found = mapped(self.whole, probability)
        if self.by is None or not self.groups:
            return found
        group = rows[self.by].astype(object).to_numpy()
        for name, own in self.groups.items():
            inside = group == name
            found[inside] = mapped(own, probability[inside])
        return found


def mapped(one: CalibrationMap, probability: FloatArray) -> FloatArray:
    """Return probabilities after a map, shape (rows,)."""
    return np.asarray(1.0 / (1.0 + np.exp(-one.log_odds(np.clip(probability, EDGE, 1.0 - EDGE)))))


def logit(probability: FloatArray) -> FloatArray:
    """Return log-odds, shape (rows,)."""
    return np.asarray(np.log(probability) - np.log1p(-probability))


LIMIT = math.log1p(-EDGE) - math.log(EDGE)
"""Log-odds of the upper edge."""
