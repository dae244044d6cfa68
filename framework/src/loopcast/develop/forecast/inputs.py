"""What the checks see of a panel of series."""

from __future__ import annotations

import numpy as np

from loopcast.api import ForecastData
from loopcast.develop.checks.inputs import Inputs

CELLS = 2_000_000
"""Actuals that are looked at; of a larger panel, evenly spaced rows."""


def inputs_of(data: ForecastData) -> Inputs:
    """Return the covariates at each site, with the mean of all series as the outcome."""
    target = data.target.to_numpy()
    stride = max(1, -(-target.size // CELLS))
    rows = slice(0, len(target), stride)
    part = np.asarray(target[rows], dtype=np.float64)
    known = ~np.isnan(part)
    total, count = np.where(known, part, 0.0).sum(axis=1), known.sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    covariates = {
        f"{name} at {site}": frame[site].reindex(data.times[rows]).to_numpy(np.float64)
        for name, frame in data.covariates.items()
        for site in frame.columns
    }
    return Inputs(
        rows=len(target),
        columns=covariates,
        outcome=mean,
        kind="number",
    )
