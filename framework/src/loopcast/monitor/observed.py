"""Columns of events: maps laid out by name, and forecasts by series, step and lead time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    ForecastOutcome,
    ForecastSchema,
    LogicalModel,
    Ranking,
    RankOutcome,
    ScoreOutcome,
    ScoreSchema,
)
from loopcast.api.score import SET_NAMES
from loopcast.monitor.bins import Floats

if TYPE_CHECKING:
    from loopcast.api import Outcome

LONGEST = 400
"""Lead times from here on are one, in days."""


def names_in(maps: pa.ChunkedArray) -> list[str]:
    """Return the names that a column of maps uses, sorted."""
    found: set[str] = set()
    for chunk in maps.chunks:
        found.update(chunk.keys.unique().to_pylist())
    return sorted(found)


def column(maps: pa.ChunkedArray, name: str) -> pa.Array:
    """Return the value under a name of each map, null where there is none.

    Maps of one batch have the same names in the same order, so that a column is mostly found by
    its place; otherwise each map is searched.
    """
    return pa.chunked_array(
        [_column(chunk, name) for chunk in maps.chunks], type=maps.type.item_type
    ).combine_chunks()


def _column(maps: pa.MapArray, name: str) -> pa.Array:
    offsets = maps.offsets.to_numpy()
    first, last, count = int(offsets[0]), int(offsets[-1]), len(maps)
    width = (last - first) // count if count else 0
    keys = maps.keys.slice(first, last - first)
    if width and (np.diff(offsets) == width).all():
        place = pc.index(keys.slice(0, width), name).as_py()
        places = np.arange(count) * width + max(place, 0)
        if place >= 0 and pc.all(pc.equal(keys.take(places), name)).as_py():
            return maps.items.slice(first, last - first).take(pa.array(places))
    return pc.map_lookup(maps, name, "first")


def numbers(maps: pa.ChunkedArray, name: str) -> Floats:
    """Return a numeric column, NaN where there is no value."""
    return np.asarray(column(maps, name).to_numpy(zero_copy_only=False), dtype=np.float64)


MAIN_OUTPUT = {"forecast": "mean", "score": "probability", "rank": "score"}
"""The output that every answer has, by task."""


def answered(events: pa.Table, model: LogicalModel) -> pa.Array:
    """Tell which events have an answer; none that was refused or waits for a person has."""
    return pc.is_valid(column(events["outputs"], MAIN_OUTPUT[model.task]))


def lead_days(starts: pd.Series[pd.Timestamp], made: pd.Series[pd.Timestamp]) -> NDArray[np.str_]:
    """Return how many whole days lie between a prediction and what it is about."""
    days = ((starts - made) / pd.Timedelta(days=1)).to_numpy()
    names = np.array([str(day) for day in range(LONGEST + 1)])
    return np.asarray(names[np.clip(days, 0, LONGEST).astype(int)])


def outcome_of(events: pa.Table, model: LogicalModel) -> Outcome:
    """Lay out events whose outcome is known, as metrics are computed from.

    Parameters
    ----------
    events
        As :func:`loopcast.store.truth.join` returns them, without those that have no outcome.
        That of a ranking is the item that was chosen, or several, an item a line.
    """
    schema = model.schema
    if isinstance(schema, ForecastSchema):
        levels = sorted(
            (name for name in names_in(events["outputs"]) if _is_level(name)), key=float
        ) or ["0.5"]  # without quantiles, their metrics are undefined
        return ForecastOutcome(
            actual=_values(events),
            mean=numbers(events["outputs"], "mean"),
            quantiles=np.column_stack([numbers(events["outputs"], name) for name in levels]),
            levels=np.array([float(name) for name in levels]),
        )
    if isinstance(schema, ScoreSchema):
        return ScoreOutcome(
            actual=happened(events, schema),
            probability=numbers(events["outputs"], "probability"),
            weight=weights(events),
            sets=_sets(events),
            amount=_amount(events, schema),
        )
    return _ranked(events, schema.length)


def _sets(events: pa.Table) -> NDArray[np.int8] | None:
    """Return the decision sets of scores; ``None`` where some have none."""
    if not events.num_rows or "decision_set" not in names_in(events["output_texts"]):
        return None
    texts = column(events["output_texts"], "decision_set")
    place = pc.index_in(texts, value_set=pa.array(SET_NAMES))
    return None if place.null_count else np.asarray(place.to_numpy(), dtype=np.int8)


def _amount(events: pa.Table, schema: ScoreSchema) -> Floats | None:
    """Return what was at stake; ``None`` where nothing says it, or the log must not hold it."""
    if schema.amount is None or schema.amount not in names_in(events["inputs"]):
        return None
    return numbers(events["inputs"], schema.amount)


def _ranked(events: pa.Table, length: int) -> RankOutcome:
    """Lay out lists and what was chosen, with items coded as they come."""
    listed = pc.split_pattern(column(events["output_texts"], "items").fill_null(""), "\n")
    truth = pc.coalesce(events["text"], _as_text(events["value"])).combine_chunks()
    chosen = pc.split_pattern(truth, "\n")
    both = pa.concat_arrays([listed.flatten(), chosen.flatten()]).dictionary_encode()
    codes = both.indices.to_numpy().astype(np.int32)
    counts = pc.list_value_length(listed).to_numpy()
    first = np.repeat(np.cumsum(counts) - counts, counts)
    row, place = np.repeat(np.arange(len(counts)), counts), np.arange(counts.sum()) - first
    kept = place < length
    items = np.full((len(counts), length), -1, dtype=np.int32)
    items[row[kept], place[kept]] = codes[: len(row)][kept]
    times = pc.list_value_length(chosen).to_numpy()
    return RankOutcome(
        ranking=Ranking(items=items, scores=np.zeros(items.shape, dtype=np.float32)),
        chosen_entity=np.repeat(np.arange(len(times), dtype=np.int32), times),
        chosen_item=codes[len(row) :],
        popularity=np.zeros(len(both.dictionary)),
    )


def weights(events: pa.Table) -> Floats:
    """Return the inverse of the probability that an event was logged and chosen to be labelled."""
    inclusion, labelling = (events[n].to_numpy() for n in ("inclusion", "labelling"))
    return np.asarray(1.0 / (inclusion * labelling))


def _is_level(name: str) -> bool:
    try:
        return 0.0 < float(name) < 1.0
    except ValueError:
        return False


def _values(events: pa.Table) -> Floats:
    return np.asarray(events["value"].to_numpy(), dtype=np.float64)


def happened(events: pa.Table, schema: ScoreSchema) -> Floats:
    """Return 1 for events whose outcome is that of the schema, 0 for others, shape (events,)."""
    if isinstance(schema.event, str):
        texts = pc.if_else(pc.is_valid(events["text"]), events["text"], _as_text(events["value"]))
        return np.asarray(pc.equal(texts, schema.event).to_numpy(), dtype=np.float64)
    return np.asarray(_values(events) == float(schema.event), dtype=np.float64)


def _as_text(values: pa.ChunkedArray) -> pa.Array:
    """Return numbers as a table of texts has them: whole ones without a point."""
    found = values.to_pandas()
    texts = [None if np.isnan(v) else f"{v:.15g}" for v in found]
    return pa.array(texts, pa.string())
