"""What the checks see of interactions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast.api import RankData
from loopcast.develop.checks.inputs import Column, Inputs
from loopcast.develop.score.inputs import columns_of

CHOICES = "number of choices"
"""What of an entity's interactions its domain is about."""


def inputs_of(data: RankData) -> Inputs:
    """Return strengths, interactions of each entity, and how many repeat another at its time."""
    time = data.time.astype("datetime64[us]").astype(np.int64)
    triples = np.stack([data.entity.astype(np.int64), data.item.astype(np.int64), time])
    ordered = triples[:, np.lexsort(triples)]
    repeated = int((ordered[:, 1:] == ordered[:, :-1]).all(axis=0).sum())
    return Inputs(
        rows=len(data.item),
        columns={"value": data.value.astype(np.float64)} if data.schema.value else {},
        repeated=repeated,
        counts=np.bincount(data.entity),
    )


def entity_columns(data: RankData) -> dict[str, Column]:
    """Return what is known of each entity: its features, and how much it has chosen."""
    chosen = np.bincount(data.entity, minlength=len(data.entities)).astype(np.float64)
    features = pd.DataFrame() if data.entity_features is None else data.entity_features
    return {CHOICES: chosen, **columns_of(features)}
