"""What was told of each answer: of a list, between it and the next one of its entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.store.truth import TRUTH_SCHEMA, join

if TYPE_CHECKING:
    from loopcast.api import LogicalModel
    from loopcast.store.home import Home

_DAY = 86_400.0  # seconds


def with_outcomes(events: pa.Table, home: Home, model: LogicalModel, wait_days: int) -> pa.Table:
    """Return answers with the columns ``value``, ``text``, ``observed`` and ``told_by``.

    An entity of a ranking is asked about again and again, and what came of a later list is no
    outcome of an earlier one, whoever made it. Of anything else, the last outcome of the key holds.

    Parameters
    ----------
    events
        In the order of time; of a ranking, all that the entities were shown.
    wait_days
        How long an outcome of a list may take; 0 for any time.
    """
    if model.task != "rank":
        return join(events, home.truth.latest(model.name), task=model.task)
    told = told_after(events, home.truth.history(model.name), exactly=False)
    return until_next(events, told, np.full(events.num_rows, wait_days))


def told_after(events: pa.Table, history: pa.Table, *, exactly: bool) -> pd.DataFrame:
    """Return each outcome with place and time of the last answer about its key before it.

    Parameters
    ----------
    exactly
        Whether an outcome of the moment of an answer is one of it: of a list it cannot be.
    """
    known: pd.DataFrame = history.select(
        ["segment", "key", "observed", "value", "text", "source"]
    ).to_pandas()
    if not events.num_rows or known.empty:
        never = pd.Series(pd.NaT, known.index, known["observed"].dtype)
        return known.assign(place=np.nan, time=never)
    asked = pd.DataFrame(
        {
            "segment": events["segment"].to_pandas(),
            "key": events["key"].to_pandas(),
            "time": events["time"].to_pandas(),
            "place": np.arange(events.num_rows),
        }
    )
    found: pd.DataFrame = pd.merge_asof(
        known.sort_values(["observed", "source", "value", "text"], na_position="first"),
        asked.sort_values("time", kind="stable"),
        left_on="observed",
        right_on="time",
        by=["segment", "key"],
        allow_exact_matches=exactly,
    )
    return found


def until_next(events: pa.Table, told: pd.DataFrame, wait: NDArray[np.int64]) -> pa.Table:
    """Give each answer the last outcome of its key until the next one, or its wait is over.

    Of several at the same moment it is the largest, as in the ground truth itself.
    """
    found = told.dropna(subset=["place"])
    place = found["place"].astype(np.int64)
    took = (found["observed"] - found["time"]).dt.total_seconds() / _DAY
    inside = (took <= wait[place]) | (wait[place] == 0)
    own = found.set_index(place)[inside.to_numpy()]
    own = own[~own.index.duplicated(keep="last")].reindex(np.arange(events.num_rows))
    for name in ("value", "text", "observed", "source"):
        field = TRUTH_SCHEMA.field(name)
        column = pa.array(own[name], type=field.type, from_pandas=True)
        events = events.append_column("told_by" if name == "source" else name, column)
    return events
