"""What a batch run answered, in numbers small enough for a page, whatever the number of rows.

The number by which rows are looked at is the probability of a score, the score of the first place
of a list, and the width of a forecast's 90 % interval relative to the forecast, which is
comparable between series of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ForecastSchema, RankSchema
from loopcast.serve.answer_files import plain_schema
from loopcast.serve.folded import Folded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import LogicalModel

POINTS = 96
"""Intervals of a forecast that are drawn."""

LEVELS = {"low": 0.05, "middle": 0.5, "high": 0.95}
"""Percentiles by which the values of a segment are told."""

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
    reasons : Series
        Rows by the reason why they are beyond the domain.
    items : Series
        Lists by the item that they recommend; empty but for rankings.
    courses
        Forecasts of the largest series of each segment; empty but for forecasts.
    """

    counts: pd.DataFrame
    values: NDArray[np.float32]
    own: NDArray[np.bool_]
    segments: pd.DataFrame
    reasons: pd.Series[int]
    items: pd.Series[int]
    courses: dict[str, tuple[float, ...]]


def overview(table: pa.Table | Folded, model: LogicalModel) -> Overview:
    """Look at the answers of some segments.

    Parameters
    ----------
    table
        As it is written: answers with columns ``segment``, ``version``, ``action``, ``reason``.
    """
    rows, values = _looked_at(table, model)
    known = np.isfinite(values)
    by_segment = pd.Series(values[known]).groupby(rows["segment"].to_numpy()[known])
    spread = {name: by_segment.quantile(level) for name, level in LEVELS.items()}
    return Overview(
        counts=rows.groupby(_COUNTED, sort=False).size().rename("rows").reset_index(),
        values=values[known].astype(np.float32),
        own=(rows["action"] == "served").to_numpy()[known],
        segments=pd.DataFrame(spread),
        reasons=rows["reason"].value_counts(),
        items=_items(table, model),
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
        reasons=_total([part.reasons for part in parts]),
        items=_total([part.items for part in parts]),
        courses=courses,
    )


def _total(parts: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
    summed: pd.Series[Any] = pd.concat(parts).groupby(level=0).sum()
    return summed.sort_values(ascending=False, kind="stable")


def _looked_at(
    table: pa.Table | Folded, model: LogicalModel
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the rows that count one each, and their numbers."""
    if isinstance(table, Folded):
        rows = _frame(table.first().select([*_COUNTED, "reason", "score"]))
        return rows, rows["score"].to_numpy(np.float64)
    if isinstance(model.schema, ForecastSchema):
        rows = _frame(table.filter(pc.equal(table["step"], model.schema.step)))
        width = (rows["0.95"] - rows["0.05"]) / rows["mean"].abs().where(rows["mean"] != 0.0)
        return rows, width.to_numpy(np.float64)
    rows = _frame(table.select([*_COUNTED, "reason", "probability"]))
    return rows, rows["probability"].to_numpy(np.float64)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.cast(plain_schema(table)).to_pandas()
    return frame


def _items(table: pa.Table | Folded, model: LogicalModel) -> pd.Series[Any]:
    if not (isinstance(table, Folded) and isinstance(model.schema, RankSchema)):
        return pd.Series(dtype=np.int64)
    coded = table.own[model.schema.item]
    counts = np.bincount(coded.indices.drop_null(), minlength=len(coded.dictionary))
    found = pd.Series(counts, index=coded.dictionary.to_pylist(), dtype=np.int64)
    return found[found > 0]


def _courses(rows: pd.DataFrame, model: LogicalModel) -> dict[str, tuple[float, ...]]:
    if not isinstance(model.schema, ForecastSchema):
        return {}
    size = rows.groupby(["segment", "series"], sort=False)["total"].sum()
    largest = size.groupby(level="segment").idxmax()
    wanted = pd.MultiIndex.from_tuples(largest.tolist(), names=["segment", "series"])
    drawn = rows.set_index(["segment", "series"])["mean"]
    drawn = drawn[drawn.index.isin(wanted)].groupby(level="segment").head(POINTS)
    return {str(name): tuple(own.tolist()) for name, own in drawn.groupby(level="segment")}
