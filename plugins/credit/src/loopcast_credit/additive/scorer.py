"""Score rows by a card, a chunk at a time so that everything stays in the processor's cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Contributions, CSource, Files, Portable, Scores
from loopcast_credit.additive.card import Card, card_bytes, read_card, require_columns
from loopcast_credit.additive.table import card_csv, card_markdown

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CHUNK = 16_384


@dataclass(frozen=True, eq=False)
class AdditiveScorer:
    """A card that scores.

    Attributes
    ----------
    card
        The model.
    """

    card: Card

    def predict(self, rows: pd.DataFrame) -> Scores:
        """Score rows.

        A missing value is in the bin *missing* and an unseen category in the bin *other*; where
        training had none, they count as the average row.

        Raises
        ------
        ModelError
            Where a feature is missing from the columns.
        """
        log_odds = self.log_odds(rows)
        return Scores(probability=logistic(log_odds), points=self.card.points(log_odds))

    def log_odds(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-odds of the event, shape (rows,)."""
        require_columns(self.card.features, rows)
        total = np.full(len(rows), self.card.intercept)
        for effect in self.card.effects:
            column = rows[effect.bins.name]
            for start in range(0, len(rows), CHUNK):
                part = slice(start, start + CHUNK)
                total[part] += effect.of(column.iloc[part])
        return total

    def contributions(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each characteristic adds to the log-odds, shape (rows, characteristics).

        With the intercept they add up to the log-odds exactly.
        """
        require_columns(self.card.features, rows)
        return np.column_stack([e.of(rows[e.bins.name]) for e in self.card.effects])

    def explain(self, rows: pd.DataFrame) -> Contributions:
        """Return the same as the core asks; see :class:`loopcast.api.ExplainedScorer`."""
        return Contributions(
            parts=tuple(self.card.features),
            base=self.card.intercept,
            added=self.contributions(rows),
            method="what the bins of the card add, exactly",
        )

    def to_sql(self, table: str, key: str) -> str:
        """Return the card as one SELECT; see :class:`loopcast.api.SqlScorer`."""
        from loopcast_credit.export.sql import card_sql

        return card_sql(self.card, table, key)

    def to_c(self) -> CSource:
        """Return the card in C; see :class:`loopcast.api.CScorer`."""
        from loopcast_credit.export.c import card_c

        return card_c(self.card)

    def to_onnx(self) -> bytes:
        """Return the card as an ONNX model; see :class:`loopcast.api.OnnxScorer`."""
        from loopcast_credit.export.onnx import card_onnx

        return card_onnx(self.card)

    def to_graph(self) -> Portable:
        """Return the card as a graph; see :class:`loopcast.api.PortableScorer`."""
        from loopcast_credit.export.portable import card_graph

        return card_graph(self.card)

    def save(self) -> Files:
        """Return the card, and the same as tables for people."""
        return {
            "card.json": card_bytes(self.card),
            "scorecard.md": card_markdown(self.card).encode(),
            "scorecard.csv": card_csv(self.card).encode(),
        }


def load_scorer(files: Files) -> AdditiveScorer:
    """Rebuild a scorer from its files."""
    return AdditiveScorer(read_card(files["card.json"]))


def logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities; no log-odds overflow."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))
