"""The contest of a forecast as judged rows, and what a report draws of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import ForecastOutcome, Judged
from loopcast.develop.forecast.intervals import LEVELS

if TYPE_CHECKING:
    from loopcast.develop.forecast.backtest import Predictions

SHOWN = (LEVELS.index(0.05), LEVELS.index(0.95))


def judged_forecasts(
    predictions: Mapping[str, Predictions],
    quantiles: Mapping[str, NDArray[np.float64]],
    *,
    first: int,
    heads: Sequence[str],
    day_type: NDArray[np.str_],
) -> Judged:
    """Lay the scored origins out with one row for each time and series that has an actual.

    Parameters
    ----------
    predictions
        By contender, at the finest step, all on the same origins.
    quantiles
        By contender, shape (rows, series, levels). They are kept in single precision.
    first
        Position of the first scored origin.
    heads
        Series that the overall value is about: the top of the hierarchy, or all series where
        there is none.
    day_type
        Of each row of the predictions.
    """
    shape = next(iter(predictions.values()))
    scored = shape.origin >= first
    times, actual = shape.times[scored], shape.actual[scored]
    row, column = np.nonzero(~np.isnan(actual))
    series = _every(column, shape.series)
    return Judged(
        keys=(series, _ordered(times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%MZ"), row)),
        block=shape.origin[scored][row],
        overall=np.isin(shape.series, heads)[column],
        attributes={
            "hour": _ordered(times.hour, row),
            "day_type": _ordered(pd.Index(day_type[scored]), row),
            "series": series,
        },
        outcomes={
            label: ForecastOutcome(
                actual=actual[row, column],
                mean=own.mean[scored][row, column],
                levels=np.array(LEVELS),
                quantiles=quantiles[label][scored][row, column].astype(np.float32),
            )
            for label, own in predictions.items()
        },
    )


def _ordered(values: pd.Index, row: NDArray[np.intp]) -> pd.Categorical[Any]:
    """Return a column whose categories are in order, with the value of each row."""
    codes, names = pd.factorize(values, sort=True)
    return _every(codes[row], [str(name) for name in names])


def _every(codes: NDArray[np.intp], names: Sequence[str]) -> pd.Categorical[Any]:
    return pd.Categorical.from_codes(codes, categories=pd.Index(list(names), dtype="str"))


def drawn_rows(judged: Judged, step: str, timezone: str) -> pd.DataFrame:
    """Return what a report draws: one row for each contender and judged row.

    Returns
    -------
    DataFrame
        Columns contender, series, step, time (local), lead (steps from the origin that any
        series was judged at), actual, mean, low, high (the 90 % interval).
    """
    series, time = judged.keys
    instants = pd.to_datetime(np.asarray(time.categories, dtype=object), utc=True)
    local = pd.DatetimeIndex(instants).tz_convert(timezone)
    lead = pd.Series(time.codes).groupby(judged.block).rank("dense").astype(np.int64).to_numpy()
    frames = []
    for label, outcome in judged.outcomes.items():
        if not isinstance(outcome, ForecastOutcome):
            raise TypeError(f"{label}: {type(outcome).__name__} is no forecast")
        frames.append(
            pd.DataFrame(
                {
                    "contender": label,
                    "series": np.asarray(series, dtype=object),
                    "step": step,
                    "time": local[time.codes],
                    "lead": lead,
                    "actual": outcome.actual,
                    "mean": outcome.mean,
                    "low": outcome.quantiles[:, SHOWN[0]],
                    "high": outcome.quantiles[:, SHOWN[1]],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
