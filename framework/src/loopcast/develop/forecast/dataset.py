"""From a table to what is known: check it, and cut it at the origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.api import ForecastData
from loopcast.develop.forecast.horizon import horizon_end, parse_origin
from loopcast.develop.forecast.prepare import covariates_through, dataset_record, prepare_forecast
from loopcast.develop.known import Known
from loopcast.settings import ForecastTable

if TYPE_CHECKING:
    from loopcast.api import ForecastSchema
    from loopcast.settings import DataSettings


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownForecast(Known[ForecastData]):
    """What is known at an origin.

    Attributes
    ----------
    data
        All actuals, and covariates through the horizon of the origin at least.
    training
        What was known at the origin, without its horizon.
    origin
        The local midnight to forecast from.
    filled : DataFrame, shape (time, series), bool
        Which actuals of the training were not measured but filled in; ``None`` where none was.
    """

    origin: pd.Timestamp
    filled: pd.DataFrame | None = None


def known_forecast(
    table: pd.DataFrame,
    settings: DataSettings,
    schema: ForecastSchema,
    source: str,
    origin: str | None,
) -> KnownForecast:
    """Check a table against its schema and cut it at the origin.

    Parameters
    ----------
    source
        Where the table came from, for messages.
    origin
        A local date; the last day with known covariates where ``None``.

    Raises
    ------
    DataError
        Where the data does not satisfy the schema or the origin does not fit it.
    """
    names = settings.table
    assert isinstance(names, ForecastTable)  # RunSettings has checked it
    prepared = prepare_forecast(table, names, schema, source)
    moment = parse_origin(origin, prepared.data)
    end = horizon_end(moment, schema.horizon)
    data = covariates_through(prepared.data, end, source, names)
    training = data.until(moment, moment)
    filled = None if prepared.filled is None else prepared.filled.iloc[: len(training.times)]
    if filled is not None and not filled.to_numpy().any():
        filled = None
    return KnownForecast(
        data=data,
        training=training,
        dataset=dataset_record(settings.name, training, source, filled),
        origin=moment,
        filled=filled,
    )
