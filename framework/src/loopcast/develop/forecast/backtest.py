"""Rolling-origin backtest: what each contender would have forecast, day after day.

Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition,
section 5.10 (time series cross-validation). Models are fitted again every so many origins on
what was known by then; between fits they see new actuals but keep their parameters. Covariates
over the horizon are the realised ones, which a report has to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import Engine, FitContext, ForecastData
from loopcast.develop.course import Advance, Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.covered import fit_one, predict_one
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

    def only(self, columns: NDArray[np.intp]) -> Predictions:
        """Return the predictions of some of the series, by position."""
        return replace(
            self,
            series=tuple(self.series[k] for k in columns),
            actual=self.actual[:, columns],
            mean=self.mean[:, columns],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Block:
    """One fit and the origins that it forecasts from."""

    contender: Contender
    fallback: Contender | None
    data: ForecastData
    origins: tuple[pd.Timestamp, ...]
    segment: str
    seed: int


def _run_block(block: _Block) -> list[tuple[pd.DatetimeIndex, NDArray[np.float64]]]:
    first = block.origins[0]
    known = block.data.until(first, first)
    context = FitContext(seed=block.seed, engine=LocalEngine())
    model = fit_one(block.contender, block.fallback, known, block.segment, context)
    return [predict_one(model, block.data, origin) for origin in block.origins]


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
    parts = [tuple(origins[start : start + refit_every]) for start in starts]
    # The same object for every contender, so that it travels to another process once.
    needed = [(_needed(data, part), part) for data in levels.values() for part in parts]
    blocks = [
        _Block(
            contender=contender,
            fallback=course.fallback,
            data=data,
            origins=part,
            segment=course.segment,
            seed=course.seed,
        )
        for contender in course.contenders
        for data, part in needed
    ]
    results = _advancing(engine.map(_run_block, blocks), blocks, advance)
    outcomes = {step: _outcomes(data, origins) for step, data in levels.items()}
    collected: dict[str, dict[str, Predictions]] = {}
    for contender in course.contenders:
        collected[contender.label] = {}
        for step in levels:
            means = [mean for _ in starts for _, mean in next(results)]
            collected[contender.label][step] = replace(outcomes[step], mean=np.concatenate(means))
    return collected


def _needed(data: ForecastData, origins: Sequence[pd.Timestamp]) -> ForecastData:
    """Cut a panel after the last horizon of some origins, for it may travel to other processes."""
    end = horizon_end(origins[-1], data.horizon)
    return data.until(end, end)


def _advancing(
    results: Iterator[Any], blocks: Sequence[_Block], advance: Callable[[str], None]
) -> Iterator[Any]:
    for block, result in zip(blocks, results, strict=True):
        advance(block.contender.label)
        yield result


def _outcomes(data: ForecastData, origins: Sequence[pd.Timestamp]) -> Predictions:
    """Lay out what came true after each origin, with no forecast yet."""
    indexes = [horizon_index(origin, data.horizon, data.step) for origin in origins]
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
        mean=np.empty((0, len(data.series))),
    )
