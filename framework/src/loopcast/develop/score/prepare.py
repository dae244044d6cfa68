"""From a table to rows that satisfy a score's schema, and the record of them.

What is wrong raises one :class:`DataError` that names the source, the column, the first bad row,
how many there are, and what would be right.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import DataError, Dataset, Feature, ScoreData, ScoreSchema
from loopcast.develop.columns import Columns, texts
from loopcast.develop.score.weights import learning_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.settings import ScoreTable


def prepare_score(
    table: pd.DataFrame,
    names: ScoreTable,
    schema: ScoreSchema,
    source: str,
    *,
    labelled: bool = True,
) -> ScoreData:
    """Check a table against a schema and shape it into rows to learn from, or to score.

    Parameters
    ----------
    table
        One row for each observation.
    source
        Where it came from, for messages.
    labelled
        Whether there are outcomes; rows to score have none, and their target is NaN.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    """
    columns = _between(Columns(table, source, names.columns, names.time_unit), names, schema)
    columns.require(_wanted(schema, labelled=labelled))
    table = columns.table
    key = _keys(columns, schema)
    accepted = _accepted(columns, schema) if labelled else None
    chance = _chance(columns, schema, accepted) if labelled else None
    features = {name: f for name, f in schema.features.items() if f.used}
    aside = {name: f for name, f in schema.features.items() if f.protected or not f.used}
    present = [name for name in aside if labelled or columns.name(name) in table.columns]
    with_time = schema.time is not None and labelled
    return ScoreData(
        features=_frame(columns, features, key),
        attributes=_frame(columns, {name: aside[name] for name in present}, key, missing=True)
        if present
        else None,
        target=_target(columns, schema, accepted) if labelled else np.full(len(table), np.nan),
        weight=learning_weight(_weight(columns, schema), chance)
        if labelled
        else np.ones(len(table)),
        time=columns.moments(schema.time) if with_time and schema.time else None,
        accepted=accepted,
        chance=chance,
        schema=schema,
    )


def unlabelled(data: ScoreData) -> ScoreData:
    """Return rows to learn from as the rows to score that the same table gives."""
    count = len(data.features)
    return replace(
        data,
        target=np.full(count, np.nan),
        weight=np.ones(count),
        time=None,
        accepted=None,
        chance=None,
    )


def _between(columns: Columns, names: ScoreTable, schema: ScoreSchema) -> Columns:
    """Keep the rows of the days in question."""
    if schema.time is None or (names.since is None and names.until is None):
        return columns
    columns.require([schema.time])
    time = columns.moments(schema.time)
    kept = np.ones(len(time), dtype=bool)
    if names.since is not None:
        kept &= time >= np.datetime64(names.since)
    if names.until is not None:
        kept &= time < np.datetime64(names.until)
    if not kept.any():
        raise DataError(
            f"{columns.source}: column {columns.name(schema.time)!r}: no row from "
            f"{names.since or 'the beginning'} until {names.until or 'the end'}; there are rows "
            f"from {time.min()} to {time.max()}"
        )
    rows = columns.table.loc[kept].reset_index(drop=True)
    return Columns(rows, columns.source, columns.names, columns.time_unit)


def _wanted(schema: ScoreSchema, *, labelled: bool) -> list[str]:
    used = [name for name, feature in schema.features.items() if feature.used]
    if not labelled:
        return [schema.key, *used]
    others = (schema.time, schema.weight, schema.accepted, schema.chance)
    return [schema.key, schema.target, *schema.features, *(name for name in others if name)]


def _keys(columns: Columns, schema: ScoreSchema) -> pd.Index:
    key = texts(columns.known(schema.key))
    columns.refuse(schema.key, key.duplicated().to_numpy(), "repeated keys", "one row for each key")
    index: pd.Index = pd.Index(key, name=schema.key, dtype="str")
    return index


def _frame(
    columns: Columns, features: dict[str, Feature], key: pd.Index, *, missing: bool = False
) -> pd.DataFrame:
    values = {
        name: columns.feature(name, feature, missing=missing) for name, feature in features.items()
    }
    return pd.DataFrame(values, index=key)


def _accepted(columns: Columns, schema: ScoreSchema) -> NDArray[np.bool_] | None:
    if schema.accepted is None:
        return None
    flag = columns.feature(schema.accepted, Feature(kind="flag"), missing=False)
    return np.asarray(flag == 1.0)


def _target(
    columns: Columns, schema: ScoreSchema, accepted: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Return 1 where the event happened, 0 where not, NaN where nobody knows."""
    raw = columns.raw(schema.target)
    known = raw.notna().to_numpy()
    if accepted is not None:
        columns.refuse(
            schema.target,
            known & ~accepted,
            f"outcomes of rows that {columns.name(str(schema.accepted))!r} did not accept",
            "none, since nobody can know them",
        )
    event = (raw == schema.event).to_numpy(dtype=bool, na_value=False)
    if not event.any() or event[known].all():
        found = raw.dropna().value_counts()
        shown = ", ".join(f"{value!r} ×{count}" for value, count in found.head(5).items())
        raise DataError(
            f"{columns.source}: column {columns.name(schema.target)!r}: "
            f"{'no row has' if not event.any() else 'every row has'} the event {schema.event!r} "
            f"(found {shown or 'no value'}); expected rows with it and rows without"
        )
    return np.where(known, event.astype(np.float64), np.nan)


def _weight(columns: Columns, schema: ScoreSchema) -> NDArray[np.float64]:
    if schema.weight is None:
        return np.ones(len(columns.table))
    columns.known(schema.weight)
    weight = columns.numbers(schema.weight)
    columns.refuse(schema.weight, weight <= 0, "weights of 0 or less", "positive weights")
    return weight


def _chance(
    columns: Columns, schema: ScoreSchema, accepted: NDArray[np.bool_] | None
) -> NDArray[np.float64] | None:
    """Return the chance of the accepted rows, and 1 for the others."""
    if schema.chance is None:
        return None
    chance = columns.numbers(schema.chance)
    concerned = np.ones(len(chance), dtype=bool) if accepted is None else accepted
    wrong = concerned & ~((chance > 0.0) & (chance <= 1.0))
    columns.refuse(schema.chance, wrong, "chances of acceptance that are none", "above 0, up to 1")
    return np.where(concerned, chance, 1.0)


def rows_of(data: ScoreData, rows: NDArray[np.bool_]) -> ScoreData:
    """Return some rows; categories that none of them has are forgotten."""
    part = data.take(np.flatnonzero(rows))
    return replace(part, features=_forget(part.features))


def _forget(frame: pd.DataFrame) -> pd.DataFrame:
    texts_of = frame.select_dtypes("category")
    if not len(texts_of.columns):
        return frame
    return frame.assign(**{str(n): c.cat.remove_unused_categories() for n, c in texts_of.items()})


def fingerprint(data: ScoreData) -> str:
    """Return the digest of the content: keys, features, attributes, outcomes, weights and so on."""
    digest = hashlib.sha256()
    digest.update("\x1f".join(map(str, data.features.index)).encode())
    parts: list[Any] = [data.target, data.weight]
    parts += [one for one in (data.accepted, data.chance) if one is not None]
    if data.time is not None:
        parts.append(data.time.astype("datetime64[us]").astype(np.int64))
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    for frame in (data.features, data.attributes):
        for name, column in frame.items() if frame is not None else ():
            digest.update(f"\x1f{name}\x1f".encode())
            if isinstance(column.dtype, pd.CategoricalDtype):
                digest.update("\x1f".join(map(str, column.cat.categories)).encode())
                digest.update(column.cat.codes.to_numpy(np.int32).tobytes())
            else:
                digest.update(column.to_numpy(np.float64).tobytes())
    return digest.hexdigest()


def dataset_record(name: str, data: ScoreData, origin: str) -> Dataset:
    """Describe rows, with a fingerprint of their content."""
    span = [None, None] if data.time is None else [data.time.min(), data.time.max()]
    start, end = (None if t is None else pd.Timestamp(t, tz="UTC").to_pydatetime() for t in span)
    return Dataset(
        name=name,
        fingerprint=fingerprint(data),
        origin=origin,
        rows=len(data.features),
        start=start,
        end=end,
    )
