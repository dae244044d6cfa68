"""From settings to what is known: read, check, and cut the data at the origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.develop.forecast.horizon import horizon_end, parse_origin
from loopcast.develop.forecast.prepare import covariates_through, dataset_record, prepare_forecast
from loopcast.settings import ForecastTable, convert

if TYPE_CHECKING:
    from loopcast.api import Dataset, ForecastData, ForecastSchema, Reader
    from loopcast.settings import DataSettings


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """What the data says.

    Attributes
    ----------
    data
        All actuals, and covariates through the horizon of the origin at least.
    training
        What was known at the origin, without its horizon.
    dataset
        Describes the training data.
    origin
        The local midnight to forecast from.
    """

    data: ForecastData
    training: ForecastData
    dataset: Dataset
    origin: pd.Timestamp


def read_known(
    settings: DataSettings, schema: ForecastSchema, reader: Reader, origin: str | None
) -> Known:
    """Read a table and check it against its schema.

    Parameters
    ----------
    origin
        A local date; the last day with known covariates where ``None``.

    Raises
    ------
    DataError
        Where the data does not satisfy the schema or the origin does not fit it.
    """
    names = settings.table
    assert isinstance(names, ForecastTable)  # RunSettings has checked it
    options = convert(settings.options, reader.options, "data.options")
    source = reader.describe(options)
    table = reader.read(options, Path.cwd())
    prepared = prepare_forecast(table, names, schema, source)
    moment = parse_origin(origin, prepared.data)
    end = horizon_end(moment, schema.horizon)
    data = covariates_through(prepared.data, end, source, names)
    training = data.until(moment, moment)
    dataset = dataset_record(settings.name, training, source, prepared.imputed)
    return Known(data=data, training=training, dataset=dataset, origin=moment)
