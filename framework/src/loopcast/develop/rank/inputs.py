"""What the checks see of interactions."""

from __future__ import annotations

import numpy as np

from loopcast.api import RankData
from loopcast.api.rank import stable_order
from loopcast.develop.checks.inputs import Column, Inputs
from loopcast.develop.score.inputs import columns_of

CHOICES = "number of choices"
"""What of an entity's interactions its domain is about."""


def inputs_of(data: RankData) -> Inputs:
    """Return strengths, interactions of each entity, and how many repeat another at its time."""
    return Inputs(
        rows=len(data.item),
        columns={"value": data.value.astype(np.float64)} if data.schema.value else {},
        repeated=_repeated(data),
        counts=np.bincount(data.entity),
    )


def _repeated(data: RankData) -> int:
    """Count interactions that repeat another one of the same time."""
    same = data.time[1:] == data.time[:-1]
    beside = np.flatnonzero(np.append(same, False) | np.append(False, same))
    cell = data.entity[beside].astype(np.int64) * len(data.items) + data.item[beside]
    order = stable_order(cell)  # of each pair, the oldest first
    cell, time = cell[order], data.time[beside][order]
    return int(((cell[1:] == cell[:-1]) & (time[1:] == time[:-1])).sum())


def entity_columns(data: RankData) -> dict[str, Column]:
    """Return what is known of each entity: its features, and how much it has chosen."""
    chosen = np.bincount(data.entity, minlength=len(data.entities)).astype(np.float64)
    features = {} if data.entity_features is None else columns_of(data.entity_features)
    return {CHOICES: chosen, **features}
