"""What the checks see of rows to score."""

from __future__ import annotations

import pandas as pd

from loopcast.api import ScoreData
from loopcast.develop.checks.inputs import Inputs, repeated_rows


def inputs_of(data: ScoreData) -> Inputs:
    """Return used features and outcome."""
    return Inputs(
        rows=len(data.target),
        columns={
            str(name): pd.Categorical(column.array)
            if isinstance(column.dtype, pd.CategoricalDtype)
            else column.to_numpy()
            for name, column in data.features.items()
        },
        outcome=data.target,
        kind="event",
        repeated=repeated_rows(data.features.assign(_outcome=data.target)),
    )
