"""A delivery of ground truth: a file, made into outcomes and brought in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from loopcast.api import DataError, ForecastSchema
from loopcast.monitor.summed import with_sums
from loopcast.store.event_keys import interval_keys
from loopcast.store.event_table import ONE_EVENT, once
from loopcast.store.recording import keyed
from loopcast.store.truth import Ingestion, Standing, standing, truth_table

if TYPE_CHECKING:
    from loopcast.api import LogicalModel, Reader
    from loopcast.store.home import Home

SINGLE = "series"
"""What a forecast calls its series where its schema names none."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of a delivery mean.

    Attributes
    ----------
    key, value, observed, series, time, segment_column
        Names of columns. ``series`` and ``time`` take the place of a key for forecasts.
    observed_at, segment
        The same for all rows.
    """

    key: str = "key"
    value: str = "value"
    observed: str | None = None
    observed_at: datetime | None = None
    series: str | None = None
    time: str | None = None
    segment: str = ""
    segment_column: str | None = None
    source: str = ""


def read_table(file: Path, reader: Reader, database: str | None = None) -> pd.DataFrame:
    """Read a file, or a table of a database, whose URL is then the reader's other option.

    Raises
    ------
    DataError
        When there is no such file or table.
    """
    if database is not None:
        return reader.read(reader.options(url=database, table=str(file)), Path())
    if not file.exists():
        raise DataError(f"{file.absolute()} does not exist; name a file of rows to bring in")
    return reader.read(reader.options(path=str(file)), Path())


def outcomes_of(frame: pd.DataFrame, columns: Columns, model: LogicalModel) -> pa.Table:
    """Make the rows of a delivery into outcomes.

    Raises
    ------
    DataError
        When a column is missing, or it is not said when the outcomes were observed.
    """
    if (columns.observed is None) == (columns.observed_at is None):
        raise DataError(
            "say when the outcomes were observed: by a column (--observed), or "
            "by one moment for all (--observed-at)"
        )
    observed = columns.observed_at or _moments(frame, str(columns.observed))
    segment: Any = columns.segment
    if columns.segment_column is not None:
        segment = _column(frame, columns.segment_column).astype(str)
    return truth_table(
        key=_keys(frame, columns, model),
        value=_column(frame, columns.value),
        observed=observed,
        segment=segment,
        source=columns.source,
    )


def protected(outcomes: pa.Table, model: LogicalModel, home: Home) -> pa.Table:
    """Hash the keys where they are personal, as those of the events are."""
    if isinstance(model.schema, ForecastSchema) or not model.schema.private_key:
        return outcomes
    place = outcomes.column_names.index("key")
    keys = keyed(outcomes["key"], "key", home.privacy_key)
    return outcomes.set_column(place, outcomes.schema.field("key"), keys)


def deliver(outcomes: pa.Table, model: LogicalModel, home: Home) -> tuple[Ingestion, Standing]:
    """Bring outcomes in, and count what they found."""
    done = home.truth.add(model.name, protected(outcomes, model, home))
    return done, standing_of(model, home)


def standing_of(model: LogicalModel, home: Home) -> Standing:
    """Count how far the events and outcomes of a logical model have found each other."""
    events = once(home.events.read(model.name, columns=ONE_EVENT))
    latest = home.truth.latest(model.name)
    told = standing(events, latest)
    if not isinstance(model.schema, ForecastSchema):
        return told
    return replace(told, labelled=standing(events, with_sums(latest, model.schema)).labelled)


def _keys(frame: pd.DataFrame, columns: Columns, model: LogicalModel) -> pd.Series[str]:
    if columns.series is None and columns.time is None:
        return _column(frame, columns.key).astype(str).where(frame[columns.key].notna())
    if not isinstance(model.schema, ForecastSchema):
        raise DataError(f"{model.name} makes no forecasts, so its outcomes have no series and time")
    if columns.time is None:
        raise DataError("the outcomes of forecasts need the column of the time beside the series")
    start = _moments(frame, columns.time)
    if columns.series is not None:
        names = _column(frame, columns.series).astype(str)
    elif len(model.schema.series) > 1:
        raise DataError(f"{model.name} has several series; name the column that tells them apart")
    else:
        names = pd.Series(next(iter(model.schema.series), SINGLE), index=frame.index, dtype="str")
    return interval_keys(names, model.schema.step, start)


def _column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        there = ", ".join(map(str, frame.columns))
        raise DataError(f"the delivery has no column {name!r}; it has {there}")
    return frame[name]


def _moments(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return moments in UTC; text in ISO 8601 has to name its offset."""
    column = _column(frame, name)
    try:
        moments = (
            pd.to_datetime(column, format="ISO8601") if column.dtype.kind not in "M" else column
        )
    except ValueError as error:
        raise DataError(f"column {name!r} of the delivery: {error}") from None
    if getattr(moments.dt, "tz", None) is None:
        raise DataError(f"column {name!r} of the delivery has no time zone; give moments in UTC")
    return moments.dt.tz_convert("UTC")
