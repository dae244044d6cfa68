"""From a table of interactions to data that satisfies a ranking's schema, and the record of it.

What is wrong raises one :class:`DataError` that names the source, the column, the first bad row,
how many there are, and what would be right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from loopcast.api import DataError, Dataset, Feature, RankData, RankSchema
from loopcast.develop.columns import Columns, codes_in_use, text_array
from loopcast.develop.moments import in_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from loopcast.settings import RankTable


SEPARATORS = "\n\x1e"
"""What stands between the items of a list, and between the fields of an entry, where it is kept."""

_ANY_ZONE = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedRank:
    """Interactions that satisfy their schema, the oldest first.

    Attributes
    ----------
    left_out
        How many rows of the table were none, and why; empty where all were.
    """

    data: RankData
    left_out: str


def prepare_rank(
    table: pd.DataFrame,
    names: RankTable,
    schema: RankSchema,
    source: str,
    *,
    now: datetime | None = None,
) -> PreparedRank:
    """Check a table against a schema and code its entities and items.

    Parameters
    ----------
    table
        One row for each interaction.
    source
        Where it came from, for messages.
    now
        The moment of the run, which nothing can have happened after; where it is ``None``, nobody
        minds. A day more is let pass: stamps may be of any zone.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    """
    whole = Columns(table, source, names.columns, names.time_unit)
    whole.require(_wanted(schema))
    kept, left_out = _interactions(whole, names, schema)
    columns = replace(whole, table=table[kept]) if left_out else whole
    if columns.table.empty:
        raise DataError(f"{source}: no interactions; {left_out}")
    entity, entities = columns.coded(schema.entity)
    item, items = columns.coded(schema.item)
    _refuse_separators(items, source)
    time = columns.moments(schema.time)
    _refuse_future(columns, schema, time, now)
    value = (
        columns.numbers(schema.value).astype(np.float32)
        if schema.value
        else np.ones(len(time), np.float32)
    )
    order = _oldest_first(time)
    data = RankData(
        entities=entities,
        items=items,
        entity=entity[order],
        item=item[order],
        value=value[order],
        time=time[order],
        schema=schema,
        entity_features=_last(columns, schema.entity_features, entity, entities, order),
        item_features=_last(columns, schema.item_features, item, items, order),
    )
    return PreparedRank(data=data, left_out=left_out)


def _refuse_future(
    columns: Columns, schema: RankSchema, time: NDArray[np.datetime64], now: datetime | None
) -> None:
    """Refuse choices of the future: nothing would be new beside them, or recent, until then."""
    if now is not None:
        latest = in_utc(now) + _ANY_ZONE
        expected = f"none after the moment of the run, {now:%Y-%m-%d} (job.at)"
        columns.refuse(schema.time, time > latest, "times in the future", expected)


def _refuse_separators(items: pd.Index, source: str) -> None:
    """Refuse names that could not be told apart in a list that is one text, and name the first."""
    names = text_array(items.array)
    texts = names.buffers()[2]  # of all names, one after the other
    if texts is None or not any(mark in texts.to_pybytes() for mark in SEPARATORS.encode()):
        return
    bad = np.asarray(items.str.contains(f"[{SEPARATORS}]"))
    if bad.any():
        raise DataError(
            f"{source}: item {items[int(np.argmax(bad))]!r} has a line break or a record separator "
            "in its name; name items without"
        )


def _wanted(schema: RankSchema) -> list[str]:
    values = [schema.value] if schema.value else []
    features = [*schema.entity_features, *schema.item_features]
    return [schema.entity, schema.item, schema.time, *values, *features]


def _interactions(
    columns: Columns, names: RankTable, schema: RankSchema
) -> tuple[NDArray[np.bool_], str]:
    """Return which rows are interactions, and what the others were."""
    kept = np.ones(len(columns.table), dtype=bool)
    reasons = []
    if names.anonymous == "drop":
        anonymous = columns.missing(schema.entity)
        kept &= ~anonymous
        reasons += [f"{anonymous.sum()} without an entity"] if anonymous.any() else []
    if names.minimum_value is not None and schema.value:
        columns.known(schema.value)
        low = columns.numbers(schema.value) < names.minimum_value
        kept &= ~low
        reasons += [f"{low.sum()} below {names.minimum_value:g}"] if low.any() else []
    elif schema.value:
        columns.known(schema.value)
    return kept, f"left out {' and '.join(reasons)}" if reasons else ""


def _oldest_first(time: NDArray[np.datetime64]) -> NDArray[np.intp] | slice:
    """Return the order of moments, of which none is missing; of ordered ones, all as they are."""
    ticks = time.view(np.int64)  # which are compared in a fifth of the time
    if (ticks[1:] >= ticks[:-1]).all():
        return slice(None)
    return np.argsort(ticks, kind="stable")


def _last(
    columns: Columns,
    features: Mapping[str, Feature],
    codes: NDArray[np.int32],
    names: pd.Index,
    order: NDArray[np.intp] | slice,
) -> pd.DataFrame | None:
    """Return the features of each entity or item as they were when it was last seen."""
    if not features:
        return None
    newest = np.zeros(len(names), dtype=np.intp)
    newest[codes[order]] = np.arange(len(codes))[order]
    values = {name: columns.feature(name, f, missing=False) for name, f in features.items()}
    return pd.DataFrame(values).iloc[newest].set_axis(names, axis="index")


Rows: TypeAlias = "slice | NDArray[np.bool_]"
"""Some interactions: those that follow each other, or a mark for each one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """Some interactions; entities and items that none of them has are forgotten.

    Attributes
    ----------
    data
        In codes of its own.
    entity, item : ndarray, shapes (entities,) and (items,) of the whole, int32
        The code in the part of each one; −1 where it is forgotten.
    """

    data: RankData
    entity: NDArray[np.int32]
    item: NDArray[np.int32]


def part_of(data: RankData, rows: Rows) -> Part:
    """Return some interactions as data of their own."""
    entity, item = data.entity[rows], data.item[rows]
    new_entity = codes_in_use(entity, len(data.entities))
    new_item = codes_in_use(item, len(data.items))
    entities, items = np.flatnonzero(new_entity >= 0), np.flatnonzero(new_item >= 0)
    part = replace(
        data,
        entities=_names(data.entities, entities),
        items=_names(data.items, items),
        entity=_renamed(entity, new_entity, entities),
        item=_renamed(item, new_item, items),
        value=data.value[rows],
        time=data.time[rows],
        entity_features=_some(data.entity_features, entities),
        item_features=_some(data.item_features, items),
    )
    return Part(data=part, entity=new_entity, item=new_item)


def _renamed(
    codes: NDArray[np.int32], new: NDArray[np.int32], kept: NDArray[np.intp]
) -> NDArray[np.int32]:
    return codes if len(kept) == len(new) else new[codes]


def _names(names: pd.Index, rows: NDArray[np.intp]) -> pd.Index:
    return names if len(rows) == len(names) else names[rows]


def _some(frame: pd.DataFrame | None, rows: NDArray[np.intp]) -> pd.DataFrame | None:
    return None if frame is None else frame.iloc[rows]


def fingerprint(data: RankData) -> str:
    """Return the digest of the content: who chose what, when, and how strongly."""
    names = (data.entities.to_numpy(), data.items.to_numpy())
    content = (data.entity, data.item, data.value, data.time)
    return _digest(names, content, (data.entity_features, data.item_features))


def _digest(
    names: Iterable[NDArray[np.object_]],
    content: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.datetime64]],
    features: Iterable[pd.DataFrame | None],
) -> str:
    digest = hashlib.sha256()
    for own in names:
        digest.update("\x1f".join(own).encode())
        digest.update(b"\x1e")
    *parts, time = content
    for part in (*parts, time.astype("datetime64[us]")):
        digest.update(part.tobytes())
    for frame in features:
        if frame is not None:
            digest.update(frame.to_csv().encode())
    return digest.hexdigest()


def dataset_record(name: str, prepared: PreparedRank, origin: str) -> Dataset:
    """Describe interactions, with a fingerprint of their content."""
    data = prepared.data
    start, end = (pd.Timestamp(t, tz="UTC").to_pydatetime() for t in (data.time[0], data.time[-1]))
    return Dataset(
        name=name,
        fingerprint=fingerprint(data),
        origin=f"{origin} ({prepared.left_out})" if prepared.left_out else origin,
        rows=len(data.item),
        start=start,
        end=end,
    )
