"""Learning a calibration from probabilities of rows that their model had not seen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.develop.calibration.choose import choose, fitted
from loopcast.develop.calibration.maps import EDGE, Calibration, CalibrationMap
from loopcast.develop.score.weights import judging_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import ScoreData
    from loopcast.settings import CalibrationSettings


def learn(
    unseen: NDArray[np.float64], data: ScoreData, settings: CalibrationSettings
) -> Calibration:
    """Learn a calibration of all rows, and of each group with enough outcomes of both kinds.

    Parameters
    ----------
    unseen : ndarray, shape (rows,)
        Probability of each row by a model that had not seen it; NaN where the outcome is unknown.
    data
        The same rows, which count as they do when a model is judged.
    """
    assert settings.method != "none"
    known = ~np.isnan(data.target)
    p, actual, weight = (a[known] for a in (unseen, data.target, judging_weight(data)))
    clipped = np.clip(p, EDGE, 1.0 - EDGE)
    chosen, tried = (
        choose(clipped, actual, weight) if settings.method == "auto" else (settings.method, {})
    )
    fit = partial(fitted, chosen)
    groups: dict[str, CalibrationMap] = {}
    if settings.by is not None:
        column = pd.Categorical(data.features[settings.by].array[known])
        for code, name in enumerate(column.categories):
            rows = column.codes == code
            if enough(actual[rows], settings.minimum):
                groups[str(name)] = fit(clipped[rows], actual[rows], weight[rows])
    return Calibration(
        method=chosen,
        whole=fit(clipped, actual, weight),
        rows=len(p),
        events=int(actual.sum()),
        by=settings.by,
        groups=groups,
        tried=tried,
    )


def enough(target: NDArray[np.float64], minimum: int) -> bool:
    """Tell whether either outcome was seen often enough to calibrate by; NaN is none."""
    return all((target == outcome).sum() >= minimum for outcome in (0.0, 1.0))
