"""What a batch run answered, in numbers small enough for a page, whatever the number of rows.

The number by which rows are looked at is the probability of a score, the score of the first place
of a list, and the width of a forecast's 90 % interval relative to the forecast, which is
comparable between series of any size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ForecastSchema, RankSchema
from loopcast.api.rank import stable_order
from loopcast.serve.answer_files import plain_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import LogicalModel

POINTS = 96
"""Intervals of a forecast that are drawn."""

LEVELS = {"low": 0.05, "middle": 0.5, "high": 0.95}
"""Percentiles by which the values of a segment are told."""

_QUANTILES = np.array(list(LEVELS.values()))
_COUNTED = ["segment", "version", "action"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Overview:
    """What was answered.

    Attributes
    ----------
    counts : DataFrame, columns ``segment``, ``version``, ``action``, ``rows``
    values : ndarray, shape (answered rows,), float32
        The number by which rows are looked at.
    own : ndarray, shape (answered rows,), bool
        Whether the row is inside the domain of its version.
    segments : DataFrame, indexed by segment, columns ``low``, ``middle``, ``high``
        The 5th, 50th and 95th percentile of the values.
    reasons
        Rows by the reason why they are beyond the domain.
    items
        Lists by the item that they recommend; empty but for rankings.
    courses
        Forecasts of the largest series of each segment; empty but for forecasts.
    """

    counts: pd.DataFrame
    values: NDArray[np.float32]
    own: NDArray[np.bool_]
    segments: pd.DataFrame
    reasons: Mapping[str, int]
    items: Mapping[str, int]
    courses: dict[str, tuple[float, ...]]


def overview(
    table: pa.Table, model: LogicalModel, items: Mapping[str, int] | None = None
) -> Overview:
    """Look at the answers of some segments.

    Parameters
    ----------
    table
        Answers with the columns ``segment``, ``version``, ``action``, ``reason`` and the number by
        which they are looked at; of a ranking a row for each list, in codes.
    items
        Lists by the item that they recommend.
    """
    rows = _looked_at(table, model)
    values = _numbers(rows, model)
    known = np.isfinite(values)
    return Overview(
        counts=_counts(rows),
        values=values[known].astype(np.float32),
        own=pc.equal(rows["action"], "served").to_numpy()[known],
        segments=_spread(values[known], rows["segment"].filter(pa.array(known))),
        reasons=_reasons(rows),
        items=items or {},
        courses=_courses(rows, model),
    )


def all_of(parts: Sequence[Overview]) -> Overview:
    """Put the overviews of batches together."""
    courses: dict[str, tuple[float, ...]] = {}
    for part in parts:
        courses |= part.courses
    return Overview(
        counts=pd.concat([part.counts for part in parts], ignore_index=True),
        values=np.concatenate([part.values for part in parts]),
        own=np.concatenate([part.own for part in parts]),
        segments=pd.concat([part.segments for part in parts]),
        reasons=_total(part.reasons for part in parts),
        items=_total(part.items for part in parts),
        courses=courses,
    )


def _total(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts, the largest first."""
    total = Counter[str]()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _looked_at(table: pa.Table, model: LogicalModel) -> pa.Table:
    """Return the rows that count one each."""
    if isinstance(model.schema, RankSchema):
        return table
    plain = table.cast(plain_schema(table))
    if isinstance(model.schema, ForecastSchema):
        return plain.filter(pc.equal(plain["step"], model.schema.step))
    return plain


def _numbers(rows: pa.Table, model: LogicalModel) -> NDArray[np.float64]:
    """Return the number by which each row is looked at."""
    if isinstance(model.schema, ForecastSchema):
        low, mean, high = (rows[name].to_pandas() for name in ("0.05", "mean", "0.95"))
        numbers = (high - low) / mean.abs().where(mean != 0.0)
    else:
        name = "score" if isinstance(model.schema, RankSchema) else "probability"
        numbers = rows[name].to_pandas()
    return np.asarray(numbers, np.float64)


def _spread(values: NDArray[np.float64], segment: pa.ChunkedArray) -> pd.DataFrame:
    """Return the percentiles of the values of each segment, linear between two of them."""
    code, names = _coded(segment)
    order, sizes = np.argsort(values), np.bincount(code, minlength=len(names))
    ordered = values[order[stable_order(code[order])]]
    some = sizes > 0
    place = (np.cumsum(sizes) - sizes + _QUANTILES[:, None] * (sizes - 1))[:, some]
    low, high = np.floor(place).astype(np.intp), np.ceil(place).astype(np.intp)
    found = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return pd.DataFrame(found.T, columns=list(LEVELS), index=pd.Index(names[some], dtype="str"))


def _counts(rows: pa.Table) -> pd.DataFrame:
    """Count rows by segment, version and action."""
    codes, names = zip(*(_coded(rows[column]) for column in _COUNTED), strict=True)
    shape = tuple(map(len, names))
    found, counts = np.unique(np.ravel_multi_index(codes, shape), return_counts=True)
    of_each = zip(_COUNTED, names, np.unravel_index(found, shape), strict=True)
    return pd.DataFrame({name: own[code] for name, own, code in of_each}).assign(rows=counts)


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.integer[Any]], NDArray[np.object_]]:
    """Return the texts of a column by code, and the texts."""
    coded = column.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary.to_numpy(zero_copy_only=False)


def _reasons(rows: pa.Table) -> dict[str, int]:
    """Count rows by the reason why they are beyond the domain."""
    reasons = rows["reason"].drop_null().value_counts()
    names, counts = reasons.field("values"), reasons.field("counts")
    return dict(zip(names.to_pylist(), counts.to_pylist(), strict=True))


def _courses(table: pa.Table, model: LogicalModel) -> dict[str, tuple[float, ...]]:
    if not isinstance(model.schema, ForecastSchema):
        return {}
    rows = table.select(["segment", "series", "total", "mean"]).to_pandas()
    size = rows.groupby(["segment", "series"], sort=False)["total"].sum()
    largest = size.groupby(level="segment").idxmax()
    wanted = pd.MultiIndex.from_tuples(largest.tolist(), names=["segment", "series"])
    drawn = rows.set_index(["segment", "series"])["mean"]
    drawn = drawn[drawn.index.isin(wanted)].groupby(level="segment").head(POINTS)
    return {str(name): tuple(own.tolist()) for name, own in drawn.groupby(level="segment")}
