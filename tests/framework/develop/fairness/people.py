"""Judged people of two sexes and three regions, scored with a bias of a known size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast.api import Judged, ScoreOutcome


def people(
    rows: int = 3000, *, bias: float = 0.0, seed: int = 4, weighted: bool = False
) -> tuple[Judged, ScoreOutcome]:
    """The event is what the score says for men; women are scored ``bias`` too high."""
    rng = np.random.default_rng(seed)
    female = rng.random(rows) < 0.4
    region = rng.choice(["east", "north", "south"], rows, p=[0.5, 0.45, 0.05])
    risk = rng.beta(2.0, 5.0, rows)
    outcome = ScoreOutcome(
        actual=(rng.random(rows) < risk).astype(np.float64),
        probability=np.clip(risk + bias * female, 0.0, 1.0),
        weight=rng.uniform(0.5, 2.0, rows) if weighted else np.ones(rows),
    )
    judged = Judged(
        keys=(pd.Categorical(np.arange(rows)),),
        block=np.arange(rows),
        overall=np.ones(rows, bool),
        attributes={
            "sex": pd.Categorical(np.where(female, "female", "male")),
            "region": pd.Categorical(region),
        },
        outcomes={"own": outcome},
    )
    return judged, outcome
