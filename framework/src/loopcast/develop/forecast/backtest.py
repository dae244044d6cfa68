"""Rolling-origin backtest: what each contender would have forecast, day after day.

Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition,
section 5.10 (time series cross-validation). Models are fitted again every so many origins on
what was known by then; between fits they see new actuals but keep their parameters. Covariates
over the horizon are the realised ones, which a report has to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    Engine,
    FitContext,
    ForecastData,
    Forecaster,
    LoopcastError,
    ModelError,
)
from loopcast.develop.course import Advance, Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.horizon import horizon_end, horizon_index, slots


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Forecasts and actuals of one contender at one step, over all origins.

    Attributes
    ----------
    step
        Length of an interval.
    series
        Names of the columns.
    times : DatetimeIndex, shape (n,)
        Local interval starts, origin after origin.
    origin : ndarray, shape (n,), int64
        Position of the origin of each row.
    slot : ndarray, shape (n,), int64
        Day and wall clock within the horizon.
    actual, mean : ndarray, shape (n, series)
    """

    step: str
    series: tuple[str, ...]
    times: pd.DatetimeIndex
    origin: NDArray[np.int64]
    slot: NDArray[np.int64]
    actual: NDArray[np.float64]
    mean: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Block:
    """One fit and the origins that it forecasts from."""

    contender: Contender
    data: ForecastData
    origins: tuple[pd.Timestamp, ...]
    segment: str
    seed: int


def fit_one(
    contender: Contender, data: ForecastData, segment: str, context: FitContext
) -> Forecaster:
    """Fit a template to one segment.

    Raises
    ------
    LoopcastError
        The error that the template yields for the segment.
    ModelError
        Where some of its series could not be fitted: a hierarchy needs them all.
    """
    fitted = contender.template.fit({segment: data}, contender.hyperparameters, context)
    _, outcome = next(iter(fitted))
    if isinstance(outcome, LoopcastError):
        raise outcome
    model: Forecaster = outcome
    if model.failures:
        name, reason = next(iter(model.failures.items()))
        raise ModelError(
            f"template {contender.template.name}: {len(model.failures)} of {len(data.series)} "
            f"series could not be fitted at step {data.step}, the first {name}: {reason}"
        )
    return model


def predict_one(
    contender: Contender, model: Forecaster, data: ForecastData, origin: pd.Timestamp
) -> tuple[pd.DatetimeIndex, NDArray[np.float64]]:
    """Forecast from one origin, showing the model nothing that came after it.

    Raises
    ------
    ModelError
        Where the answer has the wrong shape or is not finite.
    """
    index = horizon_index(origin, data.horizon, data.step)
    known = data.until(origin, horizon_end(origin, data.horizon))
    mean = np.asarray(model.predict(known, index).mean, dtype=np.float64)
    expected = (len(index), len(data.series))
    if mean.shape != expected:
        raise ModelError(
            f"template {contender.template.name}: forecast from {origin} has shape {mean.shape}; "
            f"expected {expected} (steps, series)"
        )
    if not np.isfinite(mean).all():
        row, column = np.argwhere(~np.isfinite(mean))[0]
        raise ModelError(
            f"template {contender.template.name}: forecast from {origin} is not finite for "
            f"series {data.series[column]} at {index[row]}"
        )
    return index, mean


def _run_block(block: _Block) -> list[tuple[pd.DatetimeIndex, NDArray[np.float64]]]:
    first = block.origins[0]
    known = block.data.until(first, first)
    context = FitContext(seed=block.seed, engine=LocalEngine())
    model = fit_one(block.contender, known, block.segment, context)
    return [predict_one(block.contender, model, block.data, origin) for origin in block.origins]


def backtest(
    course: ForecastCourse,
    levels: Mapping[str, ForecastData],
    origins: Sequence[pd.Timestamp],
    engine: Engine,
    advance: Advance = lambda _: None,
) -> dict[str, dict[str, Predictions]]:
    """Forecast from each origin with each contender, at each step of the hierarchy.

    Parameters
    ----------
    levels
        The panel at each step, the finest first.
    origins
        Local midnights, the oldest first.

    Returns
    -------
    dict
        Predictions by contender's label and step.
    """
    refit_every = course.plan.refit_every
    starts = range(0, len(origins), refit_every)
    blocks = [
        _Block(
            contender=contender,
            data=data,
            origins=tuple(origins[start : start + refit_every]),
            segment=course.segment,
            seed=course.seed,
        )
        for contender in course.contenders
        for data in levels.values()
        for start in starts
    ]
    results = _advancing(engine.map(_run_block, blocks), blocks, advance)
    collected: dict[str, dict[str, Predictions]] = {}
    for contender in course.contenders:
        collected[contender.label] = {}
        for step, data in levels.items():
            forecasts = [pair for _ in starts for pair in next(results)]
            collected[contender.label][step] = _gather(data, origins, forecasts)
    return collected


def _advancing(
    results: Iterator[Any], blocks: Sequence[_Block], advance: Callable[[str], None]
) -> Iterator[Any]:
    for block, result in zip(blocks, results, strict=True):
        advance(block.contender.label)
        yield result


def _gather(
    data: ForecastData,
    origins: Sequence[pd.Timestamp],
    forecasts: Sequence[tuple[pd.DatetimeIndex, NDArray[np.float64]]],
) -> Predictions:
    indexes = [index for index, _ in forecasts]
    times = pd.DatetimeIndex(indexes[0][:0].append(indexes))
    return Predictions(
        step=data.step,
        series=data.series,
        times=times,
        origin=np.repeat(np.arange(len(origins)), [len(index) for index in indexes]),
        slot=np.concatenate(
            [
                slots(index, origin, data.step)
                for index, origin in zip(indexes, origins, strict=True)
            ]
        ),
        actual=data.target.loc[times].to_numpy(np.float64),
        mean=np.concatenate([mean for _, mean in forecasts]),
    )
