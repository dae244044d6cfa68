"""The recent population: the inputs of what was predicted lately."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ScoreSchema
from loopcast.monitor.observed import column, numbers

if TYPE_CHECKING:
    from loopcast.api import LogicalModel, Segment
    from loopcast.store.home import Home


def recent_inputs(
    home: Home,
    model: LogicalModel,
    start: datetime,
    end: datetime,
    segments: Collection[Segment],
) -> dict[Segment, pd.DataFrame]:
    """Return the inputs of recent events of the segments that have some.

    Each entity counts once, whatever number of versions answered for it; inputs that the event
    log does not hold, since they are personal, are left out.

    Returns
    -------
    dict of str to DataFrame, shape (events, inputs)
    """
    assert isinstance(model.schema, ScoreSchema)
    wanted = ["segment", "key", "inputs", "input_texts"]
    events = home.events.read(model.name, start, end, columns=wanted)
    kinds = {
        name: feature.kind
        for name, feature in model.schema.features.items()
        if feature.used and feature.pii is None
    }
    return {
        segment: _frame(own, kinds).drop_duplicates("key").drop(columns="key")
        for segment in segments
        if (own := events.filter(pc.equal(events["segment"], pa.scalar(segment)))).num_rows
    }


def _frame(events: pa.Table, kinds: dict[str, Any]) -> pd.DataFrame:
    columns = {
        name: column(events["input_texts"], name).to_pandas()
        if kind == "category"
        else numbers(events["inputs"], name)
        for name, kind in kinds.items()
    }
    return pd.DataFrame({"key": events["key"].to_pandas(), **columns})
