"""What a contest leaves behind: for each judged row, who said what and what came true.

Any metric, subpopulation, paired difference or plot can be computed from it later, so that two
versions that were judged on the same rows can be compared row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from loopcast.api.errors import DataError
from loopcast.api.forecast import ForecastOutcome
from loopcast.api.rank import Ranking, RankOutcome
from loopcast.api.score import ScoreOutcome

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Outcome = ForecastOutcome | ScoreOutcome | RankOutcome
OutcomeT = TypeVar("OutcomeT", bound=Outcome)
Rows: TypeAlias = "NDArray[np.intp]"
"""Positions of rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """What contenders said about the same rows, and what came true.

    Attributes
    ----------
    keys : tuple of Categorical, shape (n,) each
        Columns that together identify a row: series and time, application, entity. None in a
        contest of rankers, of whose rows only those of a version are named.
    block : ndarray, shape (n,), int64
        Rows of one block are not independent of each other: a forecast origin, a customer.
        Equal numbers are one block; blocks in time are numbered in its order.
    overall : ndarray, shape (n,), bool
        The rows that the overall value of a metric is about.
    attributes : mapping of str to Categorical, shape (n,) each
        Subpopulations: hour, day type, series; a protected attribute.
    outcomes
        By contender, the candidate first; each with one row for each key.

    Raises
    ------
    DataError
        Where the parts do not have the same number of rows.
    """

    keys: tuple[pd.Categorical[Any], ...]
    block: NDArray[np.int64]
    overall: NDArray[np.bool_]
    attributes: Mapping[str, pd.Categorical[Any]]
    outcomes: Mapping[str, Outcome]

    def __post_init__(self) -> None:
        parts: dict[str, int] = {f"key {i}": len(key) for i, key in enumerate(self.keys)}
        parts |= {"overall": len(self.overall)}
        parts |= {f"attribute {name}": len(column) for name, column in self.attributes.items()}
        parts |= {f"contender {label}": row_count(o) for label, o in self.outcomes.items()}
        wrong = [f"{name} has {rows}" for name, rows in parts.items() if rows != len(self.block)]
        if wrong:
            raise DataError(f"judged rows: block has {len(self.block)} rows, but {wrong[0]}")

    def subsets(self, by: Collection[str] | None = None) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of the overall value and of each subpopulation, as ``attribute=value``.

        A subpopulation that has rows in the overall value is about those alone; another one, as
        a series that is part of a total, is about all of its rows.

        Parameters
        ----------
        by
            Attributes whose subpopulations are wanted; all of them where ``None``.
        """
        import numpy as np

        yield "", np.flatnonzero(self.overall)
        for attribute, column in self.attributes.items():
            for value, rows in _members(column) if by is None or attribute in by else ():
                counted = rows[self.overall[rows]]
                yield f"{attribute}={value}", counted if len(counted) else rows


def _members(column: pd.Categorical[Any]) -> Iterator[tuple[str, Rows]]:
    """Yield the rows of each category that has some, in the order of the categories."""
    import numpy as np

    order = np.argsort(column.codes, kind="stable")
    starts = np.searchsorted(column.codes[order], np.arange(len(column.categories) + 1))
    for value, first, last in zip(column.categories, starts, starts[1:], strict=False):
        if last > first:
            yield str(value), order[first:last]


def row_count(outcome: Outcome) -> int:
    """Return how many rows an outcome is about: forecasts, scored rows, or ranked entities."""
    if isinstance(outcome, RankOutcome):
        return len(outcome.ranking.items)
    return len(outcome.actual)


def take(outcome: OutcomeT, rows: Rows) -> OutcomeT:
    """Return some rows of an outcome, in the given order; a row may be taken more than once."""
    if isinstance(outcome, RankOutcome):
        return _take_rankings(outcome, rows)  # type: ignore[return-value]  # mypy unites the variants
    values = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    values.pop("levels", None)
    taken: Any = {name: None if v is None else v[rows] for name, v in values.items()}
    return replace(outcome, **taken)


def _take_rankings(outcome: RankOutcome, rows: Rows) -> RankOutcome:
    import numpy as np

    order = np.argsort(outcome.chosen_entity, kind="stable")
    counts = np.bincount(outcome.chosen_entity, minlength=row_count(outcome))
    starts = np.cumsum(counts) - counts
    wanted = counts[rows]
    first = np.cumsum(wanted) - wanted
    choices = order[np.repeat(starts[rows] - first, wanted) + np.arange(wanted.sum())]
    ranking = outcome.ranking
    return replace(
        outcome,
        ranking=Ranking(items=ranking.items[rows], scores=ranking.scores[rows]),
        chosen_entity=np.repeat(np.arange(len(rows), dtype=np.int32), wanted),
        chosen_item=outcome.chosen_item[choices],
        chosen_value=None if outcome.chosen_value is None else outcome.chosen_value[choices],
        expected_value=None if outcome.expected_value is None else outcome.expected_value[choices],
    )
