"""What the checks see of interactions."""

from __future__ import annotations

import numpy as np

from loopcast.api import RankData
from loopcast.develop.checks.inputs import Inputs


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
