"""What the checks see of rows to score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast.api import ScoreData
from loopcast.develop.checks.inputs import Column, Inputs, repeated_rows


def columns_of(features: pd.DataFrame) -> dict[str, Column]:
    """Return features as numbers and categories, by name."""
    return {
        str(name): pd.Categorical(column.array)
        if isinstance(column.dtype, pd.CategoricalDtype)
        else column.to_numpy(np.float64)
        for name, column in features.items()
    }


def inputs_of(data: ScoreData) -> Inputs:
    """Return used features and outcome."""
    return Inputs(
        rows=len(data.target),
        columns=columns_of(data.features),
        outcome=data.target,
        kind="event",
        repeated=repeated_rows(data.features.assign(_outcome=data.target)),
    )
