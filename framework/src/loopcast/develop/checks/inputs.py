"""What the checks look at, in the same shape for every task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

Column: TypeAlias = "NDArray[np.float64] | pd.Categorical[Any]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """A dataset as its checks see it.

    Attributes
    ----------
    rows
        Number of observations.
    columns : mapping of str to ndarray or Categorical, shape (rows,) each
        Numbers with NaN for missing, or categories.
    outcome : ndarray, shape (rows,), or None
        What is predicted from the columns; NaN where unknown.
    kind
        Whether the outcome is an event (0 or 1) or a number.
    repeated
        Rows that repeat another one; ``None`` where that says nothing.
    counts : ndarray, shape (entities,)
        Interactions of each entity, where there are some.
    """

    rows: int
    columns: Mapping[str, Column]
    outcome: NDArray[np.float64] | None = None
    kind: Literal["event", "number"] = "number"
    repeated: int | None = None
    counts: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))


def missing(column: Column) -> NDArray[np.bool_]:
    """Tell which values of a column are missing."""
    if isinstance(column, pd.Categorical):
        return np.asarray(column.codes < 0)
    return np.isnan(column)


def repeated_rows(frame: pd.DataFrame) -> int | None:
    """Count rows that repeat another one.

    Rows of a few categories repeat each other without anything being wrong: unless a hundred
    times as many different rows are possible as there are, nothing is counted.
    """
    possible = np.log([max(frame[name].nunique(), 1) for name in frame]).sum()
    if possible < np.log(100.0 * max(len(frame), 1)):
        return None
    return int(frame.duplicated().sum())
