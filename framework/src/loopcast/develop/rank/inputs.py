"""What the checks see of interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import RankData
from loopcast.api.rank import stable_order
from loopcast.develop.checks.inputs import Column, Inputs
from loopcast.develop.score.inputs import columns_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

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
    ticks = data.time.view(np.int64)  # which are compared in a fifth of the time
    same = ticks[1:] == ticks[:-1]
    if not same.any():
        return 0
    beside = np.flatnonzero(np.append(same, False) | np.append(False, same))
    cell = data.entity[beside].astype(np.int64) * len(data.items) + data.item[beside]
    order = stable_order(cell)  # of each pair, the oldest first
    cell, ticks = cell[order], ticks[beside][order]
    return int(((cell[1:] == cell[:-1]) & (ticks[1:] == ticks[:-1])).sum())


def entity_columns(data: RankData) -> dict[str, Column]:
    """Return what is known of each entity: its features, and how much it has chosen."""
    chosen = np.bincount(data.entity, minlength=len(data.entities))
    return columns_about(chosen, data.entity_features)


def columns_about(chosen: NDArray[np.intp], features: pd.DataFrame | None) -> dict[str, Column]:
    """Return what :func:`entity_columns` does of n entities.

    Parameters
    ----------
    chosen : ndarray, shape (n,)
        How much each has chosen.
    features : DataFrame, shape (n, features), or None
    """
    own = {} if features is None else columns_of(features)
    return {CHOICES: chosen.astype(np.float64), **own}
