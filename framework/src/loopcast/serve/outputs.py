"""What a batch run leaves behind: the forecast, its summary, and its events."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from loopcast.api import Evaluation
from loopcast.serve.batch import QUANTILE_COLUMNS
from loopcast.serve.shadow import WITHHELD
from loopcast.serve.treatment import about_treatment
from loopcast.store.event_keys import interval_keys
from loopcast.store.events import event_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Dataset, ForecastData, Role, Version
    from loopcast.serve.batch import BatchForecast


def forecast_file(batch: BatchForecast, metadata: Mapping[str, str]) -> bytes:
    """Encode a forecast as Parquet, with the unit and where it came from in its metadata."""
    table = pa.Table.from_pandas(batch.table, preserve_index=False)
    merged = {**(table.schema.metadata or {}), **{k: v.encode() for k, v in metadata.items()}}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(merged), buffer)
    return buffer.getvalue()


def forecast_events(
    batch: BatchForecast,
    version: Version,
    role: Role,
    made: datetime,
    latency_ms: float,
    *,
    data: ForecastData,
) -> pa.Table:
    """Return one event for each forecast value; ground truth joins it by series and time.

    Parameters
    ----------
    data
        With the covariates over the horizon.
    """
    return event_table(
        key=event_keys(batch),
        time=made,
        logical_model=version.logical_model,
        segment=version.segment,
        version=version.id,
        role=role,
        action=WITHHELD if role == "shadow" else batch.table["action"],
        outputs=event_outputs(batch),
        inputs=event_inputs(batch, data),
        latency_ms=latency_ms,
    )


def event_keys(batch: BatchForecast) -> pd.Series[Any]:
    """Return the key of each event, ``series|step|interval start in UTC``."""
    table = batch.table
    return interval_keys(table["series"], table["step"], table["time"])


def event_outputs(batch: BatchForecast) -> dict[str, NDArray[np.float64]]:
    """Return mean and quantiles of each event."""
    return {name: batch.table[name].to_numpy() for name in ("mean", *QUANTILE_COLUMNS)}


def event_inputs(batch: BatchForecast, data: ForecastData) -> dict[str, NDArray[np.float64]]:
    """Return the covariates of each event at the finest step, NaN where there are none.

    They are those at its time and the site of its series.
    """
    table = batch.table
    sites = table["series"].map(dict(data.site_of)).where(table["step"] == data.step)
    found = {}
    for name, frame in data.covariates.items():
        row = frame.index.get_indexer(pd.Index(table["time"]))
        column = frame.columns.get_indexer(pd.Index(sites))
        values = frame.to_numpy()[row, column]
        found[name] = np.where((row >= 0) & (column >= 0), values, np.nan)
    return found


def summarise(
    version: Version,
    dataset: Dataset,
    evaluations: tuple[Evaluation, ...],
    batch: BatchForecast,
    *,
    horizon: str,
) -> dict[str, object]:
    """Return what systems want to know of a forecast, ready for JSON."""
    return {
        "logical_model": version.logical_model,
        "segment": version.segment,
        "version": version.id,
        "template": version.template,
        "dataset": msgspec.to_builtins(dataset),
        "horizon": horizon,
        "evaluation": evaluations[0].protocol,
        "metrics": {e.contender: _overall(e) for e in evaluations},
        "metrics_by_series": {e.contender: _by_series(e) for e in evaluations},
        **about_forecast(batch),
    }


def about_forecast(batch: BatchForecast) -> dict[str, object]:
    """Return how coherent it is, whom the fallback forecast, and what was beyond the domain."""
    return {
        "origin": batch.origin.isoformat(),
        "coherence_error": batch.coherence_error,
        "fallback": {"count": len(batch.stand_ins), "series": dict(batch.stand_ins)},
        **about_treatment(batch.table),
    }


def _overall(evaluation: Evaluation) -> dict[str, float | None]:
    return {m.name: m.value for m in evaluation.metrics if not m.subset}


def _by_series(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for metric in evaluation.metrics:
        attribute, _, series = metric.subset.partition("=")
        if attribute == "series":
            found.setdefault(series, {})[metric.name] = metric.value
    return found
