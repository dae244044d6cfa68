"""The reference of a training: inputs as the model saw them, outputs as its contest had them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    ForecastData,
    ForecastOutcome,
    Judged,
    Ranking,
    RankOutcome,
    ScoreData,
    ScoreOutcome,
)
from loopcast.monitor.reference import (
    MOST_ATTRIBUTES,
    MOST_VALUES,
    REFERENCE_FILE,
    Reference,
    fit_reference,
    reference_bytes,
)

YEAR = pd.Timedelta(days=360)


def reference_file(
    data: Any, judged: Judged, seed: int, lists: Ranking | None = None
) -> dict[str, bytes]:
    """Return the reference of a training as a file of its bundle."""
    return {REFERENCE_FILE: reference_bytes(training_reference(data, judged, seed, lists))}


def training_reference(
    data: Any, judged: Judged, seed: int, lists: Ranking | None = None
) -> Reference:
    """Take down what a version's training data and first predictions looked like.

    Personal inputs stay out, as they do of the event log.

    Parameters
    ----------
    data
        What the version was trained on: the data of its task.
    judged
        Its contest; the first contender is the version's template.
    lists
        What a ranker says that was fitted to all data, whose scores may grow with the data; those
        of the contest where it is ``None``.
    """
    outcome = next(iter(judged.outcomes.values()))
    if isinstance(data, ForecastData) and isinstance(outcome, ForecastOutcome):
        rows = judged.overall
        index = pd.DatetimeIndex(data.target.index)
        inputs, sites = _covariates(data)
        months = _months(index)
        return fit_reference(
            inputs,
            {"mean": outcome.mean[rows]},
            np.repeat(index.normalize().asi8, sites),
            output_block=judged.block[rows],
            month=None if months is None else np.repeat(months, sites),
            series=_heads(judged),
            seed=seed,
        )
    if isinstance(data, ScoreData) and isinstance(outcome, ScoreOutcome):
        inputs = _features(data)
        return fit_reference(
            inputs,
            {"probability": outcome.probability},
            subsets=_subpopulations(data, inputs),
            month=None if data.time is None else _months(pd.DatetimeIndex(data.time)),
            seed=seed,
        )
    assert isinstance(outcome, RankOutcome)
    best = (lists or outcome.ranking).scores[:, 0].astype(np.float64)
    return fit_reference({}, {"score": best}, seed=seed)


def _months(times: pd.DatetimeIndex) -> NDArray[np.intp] | None:
    """Return the calendar month of each row from 0 to 11; ``None`` where they span no year."""
    if not len(times) or times.max() - times.min() < YEAR:
        return None
    return np.asarray(times.month, dtype=np.intp) - 1


def _heads(judged: Judged) -> tuple[str, ...]:
    """Return the series that the overall metrics are about."""
    series = judged.keys[0]
    return tuple(str(series.categories[c]) for c in np.unique(series.codes[judged.overall]))


def _subpopulations(data: ScoreData, inputs: Mapping[str, Any]) -> list[str]:
    """Return the categories of few values that drift is measured by, protected ones first."""
    features = data.schema.features
    few = [
        name
        for name in inputs
        if features[name].kind == "category" and 1 < data.features[name].nunique() <= MOST_VALUES
    ]
    return sorted(few, key=lambda name: not features[name].protected)[:MOST_ATTRIBUTES]


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
