"""The reference of a training: inputs as the model saw them, outputs as its contest had them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import (
    ForecastData,
    ForecastOutcome,
    Judged,
    RankOutcome,
    ScoreData,
    ScoreOutcome,
)
from loopcast.monitor.reference import (
    REFERENCE_FILE,
    Reference,
    fit_reference,
    reference_bytes,
)


def reference_file(data: Any, judged: Judged, seed: int) -> dict[str, bytes]:
    """Return the reference of a training as a file of its bundle."""
    return {REFERENCE_FILE: reference_bytes(training_reference(data, judged, seed))}


def training_reference(data: Any, judged: Judged, seed: int) -> Reference:
    """Take down what a version's training data and first predictions looked like.

    Personal inputs stay out, as they do of the event log.

    Parameters
    ----------
    data
        What the version was trained on: the data of its task.
    judged
        Its contest; the first contender is the version's template.
    """
    outcome = next(iter(judged.outcomes.values()))
    if isinstance(data, ForecastData) and isinstance(outcome, ForecastOutcome):
        rows = judged.overall
        days = pd.DatetimeIndex(data.target.index).normalize().asi8
        inputs, sites = _covariates(data)
        return fit_reference(
            inputs,
            {"mean": outcome.mean[rows]},
            np.repeat(days, sites),
            output_block=judged.block[rows],
            seed=seed,
        )
    if isinstance(data, ScoreData) and isinstance(outcome, ScoreOutcome):
        return fit_reference(_features(data), {"probability": outcome.probability}, seed=seed)
    assert isinstance(outcome, RankOutcome)
    best = outcome.ranking.scores[:, 0].astype(np.float64)
    return fit_reference({}, {"score": best}, seed=seed)


def _covariates(data: ForecastData) -> tuple[Mapping[str, Any], int]:
    """Return the covariates over the actuals, sites side by side, and how many sites there are."""
    frames = {
        name: frame.reindex(data.target.index).to_numpy() for name, frame in data.covariates.items()
    }
    sites = max((frame.shape[1] for frame in frames.values()), default=1)
    return {name: frame.ravel() for name, frame in frames.items()}, sites


def _features(data: ScoreData) -> dict[str, Any]:
    features = data.schema.features
    return {
        str(name): _plain(column)
        for name, column in data.features.items()
        if features[str(name)].pii is None
    }


def _plain(column: Any) -> Any:
    """Return numbers as an array, and categories as texts with ``None`` for missing."""
    if column.dtype.kind in "fiub":
        return column.to_numpy(dtype=np.float64)
    return column.astype(object).where(column.notna(), None).map(_text).to_numpy()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
