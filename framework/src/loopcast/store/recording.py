"""What of an event may be written, and which events are: privacy by schema, sampling by rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    Feature,
    ForecastSchema,
    LogicalModel,
    RankSchema,
    SamplingRule,
    ScoreSchema,
)
from loopcast.store.event_table import EVENT_SCHEMA

Secret = Callable[[], bytes]

_CONDITIONS = ("segment", "version", "role", "action", "source")


def recorded(events: pa.Table, model: LogicalModel, secret: Secret) -> pa.Table:
    """Return the events that are to be logged, without what may not be.

    Parameters
    ----------
    events
        Columns of :data:`~loopcast.store.event_table.EVENT_SCHEMA`, of one logical model.
    secret
        Gives the secret of keyed hashes; asked only where something is hashed.
    """
    return protect(sample(events, model), model.schema, secret)


def sample(events: pa.Table, model: LogicalModel) -> pa.Table:
    """Keep events by the sampling rules, and choose those to be labelled by the labelling rules.

    Both choices follow from a hash of the key alone, so that every process makes the same one,
    and all events of a key are kept or none. Each event holds the probabilities, by whose
    inverse estimates are weighted: D. G. Horvitz and D. J. Thompson (1952), A generalization of
    sampling without replacement from a finite universe, JASA 47.
    """
    share = _shares(events, model.log.sampling)
    if model.log.sampling:
        kept = uniform(events["key"], "inclusion") < share
        events, share = events.filter(pa.array(kept)), share[kept]
        events = _with(events, "inclusion", events["inclusion"].to_numpy() * share)
    if model.log.labelling:
        share = _shares(events, model.log.labelling)
        chosen = uniform(events["key"], "labelling") < share
        before = events["labelling"].to_numpy()
        events = _with(events, "labelling", before * np.where(chosen, share, 0.0))
    return events


def uniform(keys: pa.ChunkedArray | pa.Array, purpose: str) -> NDArray[np.float64]:
    """Return a number between 0 and 1 for each key, the same on every machine.

    Parameters
    ----------
    purpose
        Numbers of different purposes are independent of each other.

    Examples
    --------
    >>> uniform(pa.array(["a", "b", "a"]), "labelling").round(3)
    array([0.687, 0.261, 0.687])
    """
    import pandas as pd

    salt = blake2b(purpose.encode(), digest_size=8).hexdigest()
    texts = keys.to_numpy(zero_copy_only=False) if isinstance(keys, pa.Array) else keys.to_numpy()
    hashes = pd.util.hash_array(texts, hash_key=salt, categorize=False)
    return np.asarray((hashes >> np.uint64(11)) * 2.0**-53)


def _shares(events: pa.Table, rules: Sequence[SamplingRule]) -> NDArray[np.float64]:
    share = np.ones(events.num_rows)
    for rule in reversed(rules):
        share[_fits(events, rule)] = rule.share
    return share


def _fits(events: pa.Table, rule: SamplingRule) -> NDArray[np.bool_]:
    fits = np.ones(events.num_rows, dtype=bool)
    for name in _CONDITIONS:
        wanted = getattr(rule, name)
        if wanted is not None:
            fits &= pc.equal(events[name], wanted).to_numpy()
    return fits


def _with(events: pa.Table, name: str, values: NDArray[np.float64]) -> pa.Table:
    place = events.column_names.index(name)
    return events.set_column(place, EVENT_SCHEMA.field(name), pa.array(values, pa.float64()))


def protect(
    events: pa.Table, schema: ForecastSchema | ScoreSchema | RankSchema, secret: Secret
) -> pa.Table:
    """Hash and drop what the schema marks as personal, wherever it is in the events."""
    features = _features(schema)
    dropped = {name for name, feature in features.items() if feature.pii == "drop"}
    hashed = {name for name, feature in features.items() if feature.pii == "hash"}
    if dropped or hashed:
        # A hashed feature is a text; a number under its name could only be the bare value.
        columns = {
            "inputs": _without(events["inputs"], dropped | hashed),
            "explanation": _without(events["explanation"], dropped),
            "input_texts": _without(events["input_texts"], dropped),
        }
        if hashed:
            columns["input_texts"] = _hashed(columns["input_texts"], hashed, secret())
        for name, column in columns.items():
            place = events.column_names.index(name)
            events = events.set_column(place, EVENT_SCHEMA.field(name), column)
    if not isinstance(schema, ForecastSchema) and schema.private_key:
        place = events.column_names.index("key")
        keys = keyed(events["key"], "key", secret())
        events = events.set_column(place, EVENT_SCHEMA.field("key"), keys)
    return events


def _features(schema: ForecastSchema | ScoreSchema | RankSchema) -> dict[str, Feature]:
    if isinstance(schema, ScoreSchema):
        return schema.features
    if isinstance(schema, RankSchema):
        return schema.entity_features | schema.item_features
    return {}


def keyed(values: pa.ChunkedArray | pa.Array, name: str, secret: bytes) -> pa.Array:
    """Return the keyed hash of each text: BLAKE2b of 16 bytes, in hexadecimal.

    Without the secret, a hash cannot be traced back by trying all values. Equal texts under one
    name have equal hashes.

    Parameters
    ----------
    name
        Of the column, so that equal texts in different columns have different hashes.
    """
    key = blake2b(name.encode(), key=blake2b(secret).digest()).digest()
    found = pc.dictionary_encode(values)
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    hashes = [
        blake2b(text.encode(), key=key, digest_size=16).hexdigest()
        for text in found.dictionary.to_pylist()
    ]
    return pa.array(hashes, pa.string()).take(found.indices)


def _whole(column: pa.ChunkedArray) -> pa.MapArray:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _without(column: pa.ChunkedArray, names: Collection[str]) -> pa.ChunkedArray:
    """Return maps without some of their entries."""
    maps = _whole(column)
    kept = pc.invert(pc.is_in(maps.keys, pa.array(sorted(names), pa.string())))
    before = np.concatenate([[0], np.cumsum(kept.to_numpy(zero_copy_only=False))])
    offsets = pa.array(before[maps.offsets.to_numpy()], pa.int32())
    changed = pa.MapArray.from_arrays(offsets, maps.keys.filter(kept), maps.items.filter(kept))
    return pa.chunked_array([changed])


def _hashed(column: pa.ChunkedArray, names: Collection[str], secret: bytes) -> pa.ChunkedArray:
    """Return maps of texts with the values of some entries hashed."""
    maps = _whole(column)
    items = maps.items
    for name in sorted(names):
        there = pc.equal(maps.keys, name)
        items = pc.replace_with_mask(items, there, keyed(items.filter(there), name, secret))
    return pa.chunked_array([pa.MapArray.from_arrays(maps.offsets, maps.keys, items)])
