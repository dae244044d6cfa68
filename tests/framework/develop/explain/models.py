"""Scorers that are formulas, with rows and a schema, so that every answer is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import Feature, Scores, ScoreSchema

SCHEMA = ScoreSchema(
    key="id",
    target="bad",
    event=1,
    features={
        "income": Feature(
            kind="numeric", title="Income", unit="EUR", missing=True, minimum=0.0, maximum=9000.0,
            changeable="up",
        ),
        "months": Feature(
            kind="numeric", unit="months", minimum=6.0, maximum=84.0, changeable="freely", slack=6.0
        ),
        "home": Feature(kind="category", changeable="freely", missing=True),
        "late": Feature(kind="flag"),
    },
)  # fmt: skip
RISK = {"rent": 0.7, "owner": -0.8, "parents": 0.1}


def rows(count: int = 120, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    income = rng.uniform(500.0, 6000.0, count)
    return pd.DataFrame(
        {
            "income": np.where(rng.random(count) < 0.1, np.nan, income),
            "months": rng.integers(6, 85, count).astype(np.float64),
            "home": pd.Categorical(rng.choice(list(RISK), count)),
            "late": (rng.random(count) < 0.3).astype(np.float64),
        },
        index=pd.Index([f"r{number}" for number in range(count)], name="id"),
    )


@dataclass(frozen=True)
class Formula:
    """A log-odds that is additive, but for ``together``: what two features add between them."""

    together: float = 0.0

    def terms(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """What each feature adds, shape (rows, 4)."""
        income = np.nan_to_num(table["income"].to_numpy(np.float64), nan=1000.0)
        home = table["home"].astype(object).map(RISK).fillna(0.0).to_numpy(np.float64)
        return np.column_stack(
            [
                -(income - 3000.0) / 1500.0,
                (table["months"].to_numpy(np.float64) - 40.0) / 30.0,
                home,
                1.5 * table["late"].to_numpy(np.float64),
            ]
        )

    def log_odds(self, table: pd.DataFrame) -> NDArray[np.float64]:
        terms = self.terms(table)
        return np.asarray(-0.5 + terms.sum(axis=1) + self.together * terms[:, 0] * terms[:, 1])

    def predict(self, table: pd.DataFrame) -> Scores:
        return Scores(probability=self.probability(table))

    def probability(self, table: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp(-self.log_odds(table))))

    def save(self) -> dict[str, bytes]:
        return {}
