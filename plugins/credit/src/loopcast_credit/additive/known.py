"""The rows whose outcome is known, and whether they are enough to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import DataError, ScoreData

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Known = tuple["pd.DataFrame", "NDArray[np.float64]", "NDArray[np.float64]"]


def known_rows(data: ScoreData, minimum: int) -> Known:
    """Return features, outcome and weight of the rows with a known outcome and a weight.

    Parameters
    ----------
    minimum
        Fewest rows with the event, and fewest without.

    Raises
    ------
    DataError
        Where either are fewer, a single class included.
    """
    known = ~np.isnan(data.target) & (data.weight > 0.0)
    event = data.target[known]
    happened = int(event.sum())
    fewer = min(happened, len(event) - happened)
    if fewer < minimum:
        raise DataError(
            f"column {data.schema.target!r}: of {len(event)} rows with a known outcome, "
            f"{happened} have the event {data.schema.event!r} and {len(event) - happened} have "
            f"not; a model needs {minimum} of each"
        )
    if known.all():
        return data.features, event, data.weight
    return data.features[known], event, data.weight[known]
