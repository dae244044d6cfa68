"""What a scorer was asked lately, from the event log, with the outcomes that are known by now."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import Production, ScoreSchema
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.store.home import Home

ROWS = 5_000
"""The newest requests that are looked at."""

DAYS = 31
"""Days with requests that are looked back at for them."""


def recent_production(home: Home, loaded: LoadedVersion) -> Production | None:
    """Return the newest requests to a score's logical model and segment; ``None`` without any.

    The outcome of a request is the ground truth of its key: the schema's event, or not.
    """
    schema, version = loaded.schema, loaded.version
    if not isinstance(schema, ScoreSchema):
        return None
    events = _newest(home, version.logical_model, version.segment)
    if not events.num_rows:
        return None
    known = join(events, home.truth.latest(version.logical_model))
    return Production(rows=features_of(known, schema), actual=_actual(known, schema))


def _newest(home: Home, logical_model: str, segment: str) -> pa.Table:
    columns = ["key", "segment", "time", "inputs", "input_texts"]
    found: pa.Table | None = None
    for day in reversed(home.events.days(logical_model)[-DAYS:]):
        start = datetime.combine(day, time(), UTC)
        part = home.events.read(logical_model, start, segment=segment, columns=columns)
        found = part
        if part.num_rows >= ROWS:
            break
    if found is None:
        return pa.table({name: pa.array([], pa.string()) for name in ("key", "segment")})
    order = pc.sort_indices(found, sort_keys=[("time", "descending"), ("key", "ascending")])
    return found.take(order[:ROWS])


def features_of(events: pa.Table, schema: ScoreSchema) -> pd.DataFrame:
    """Return the used features of each event, of the types that a scorer is given."""
    columns = {
        name: _column(events, name, category=feature.kind == "category")
        for name, feature in schema.features.items()
        if feature.used
    }
    index = pd.Index(events["key"].to_pylist(), name=schema.key)
    return pd.DataFrame(columns).set_axis(index)


def _column(events: pa.Table, name: str, *, category: bool) -> object:
    source = events["input_texts" if category else "inputs"].combine_chunks()
    values = pc.map_lookup(source, name, "first")
    if category:
        return pd.Categorical(values.to_pylist())
    return values.to_numpy(zero_copy_only=False).astype(np.float64)


def _actual(events: pa.Table, schema: ScoreSchema) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    texts = pd.Series(events["text"].to_pylist(), dtype=object)
    numbers = pd.Series(events["value"].to_pylist(), dtype=object)
    said = texts.where(texts.notna(), numbers)
    happened = (said.astype(str) == str(schema.event)) | (said == schema.event)
    return np.where(said.notna(), happened.astype(np.float64), np.nan)
