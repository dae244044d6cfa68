"""What a contest leaves behind: for each judged row, who said what and what came true.

Any metric, subpopulation, paired difference or plot can be computed from it later, so that two
versions that were judged on the same rows can be compared row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    DataError,
    ForecastOutcome,
    IntegrityError,
    Ranking,
    RankOutcome,
    ScoreOutcome,
    Task,
    npz_bytes,
    read_npz,
)

JUDGED_FILE = "judged.npz"
"""Its name in a bundle."""

Outcome = ForecastOutcome | ScoreOutcome | RankOutcome
OutcomeT = TypeVar("OutcomeT", bound=Outcome)
Rows = NDArray[np.intp]

# Arrays of an outcome that are the same for every contender, and those that are its own.
_SHARED: dict[Task, tuple[str, ...]] = {
    "forecast": ("actual", "levels"),
    "score": ("actual", "weight"),
    "rank": ("chosen_entity", "chosen_item", "popularity"),
}
_OWN: dict[Task, tuple[str, ...]] = {
    "forecast": ("mean", "quantiles"),
    "score": ("probability",),
    "rank": ("items", "scores"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """What contenders said about the same rows, and what came true.

    Attributes
    ----------
    keys : tuple of Categorical, shape (n,) each
        Columns that together identify a row: series and time, application, entity.
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

    def subsets(self) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of the overall value and of each subpopulation, as ``attribute=value``.

        A subpopulation that has rows in the overall value is about those alone; another one, as
        a series that is part of a total, is about all of its rows.
        """
        yield "", np.flatnonzero(self.overall)
        for attribute, column in self.attributes.items():
            for value, rows in _members(column):
                counted = rows[self.overall[rows]]
                yield f"{attribute}={value}", counted if len(counted) else rows


def _members(column: pd.Categorical[Any]) -> Iterator[tuple[str, Rows]]:
    """Yield the rows of each category that has some, in the order of the categories."""
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
    arrays = {
        field.name: getattr(outcome, field.name)[rows]
        for field in fields(outcome)
        if field.name != "levels"
    }
    return replace(outcome, **arrays)


def _take_rankings(outcome: RankOutcome, rows: Rows) -> RankOutcome:
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
    )


def judged_bytes(judged: Judged) -> bytes:
    """Encode judged rows, every float exactly."""
    task = _task(judged)
    arrays: dict[str, NDArray[Any]] = {
        "contenders": np.array(list(judged.outcomes)),
        "attributes": np.array(list(judged.attributes), dtype=np.str_),
        "block": judged.block,
        "overall": judged.overall,
    }
    for number, column in enumerate(judged.keys):
        arrays |= _column_arrays(f"key.{number}", column)
    for number, column in enumerate(judged.attributes.values()):
        arrays |= _column_arrays(f"attribute.{number}", column)
    for number, outcome in enumerate(judged.outcomes.values()):
        values = _arrays(outcome)
        arrays |= {f"{name}.{number}": values[name] for name in _OWN[task]}
        arrays |= {name: values[name] for name in _SHARED[task] if number == 0}
    return npz_bytes(arrays)


def read_judged(content: bytes, task: Task) -> Judged:
    """Decode judged rows.

    Raises
    ------
    IntegrityError
        Where something is missing: the file is of another task, or of another kind.
    """
    arrays = read_npz(content)
    try:
        shared = {name: arrays[name] for name in _SHARED[task]}
        labels = [str(label) for label in arrays["contenders"]]
        names = [str(name) for name in arrays["attributes"]]
        own = [{name: arrays[f"{name}.{i}"] for name in _OWN[task]} for i in range(len(labels))]
        keys = sum(name.startswith("key.") and name.endswith(".codes") for name in arrays)
        return Judged(
            keys=tuple(_column(arrays, f"key.{i}") for i in range(keys)),
            block=arrays["block"],
            overall=arrays["overall"],
            attributes={name: _column(arrays, f"attribute.{i}") for i, name in enumerate(names)},
            outcomes={
                label: _outcome(task, shared | values)
                for label, values in zip(labels, own, strict=True)
            },
        )
    except KeyError as error:
        raise IntegrityError(
            f"the judged rows of a version have no array {error}, which those of the task {task} "
            "have; train the version again"
        ) from None


def _task(judged: Judged) -> Task:
    kinds: dict[type[Any], Task] = {
        ForecastOutcome: "forecast",
        ScoreOutcome: "score",
        RankOutcome: "rank",
    }
    return kinds[type(next(iter(judged.outcomes.values())))]


def _arrays(outcome: Outcome) -> dict[str, NDArray[Any]]:
    values = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    if isinstance(outcome, RankOutcome):
        ranking = values.pop("ranking")
        values |= {"items": ranking.items, "scores": ranking.scores}
    return values


def _outcome(task: Task, arrays: dict[str, NDArray[Any]]) -> Outcome:
    if task == "forecast":
        return ForecastOutcome(**arrays)
    if task == "score":
        return ScoreOutcome(**arrays)
    ranking = Ranking(items=arrays.pop("items"), scores=arrays.pop("scores"))
    return RankOutcome(ranking=ranking, **arrays)


def _column_arrays(name: str, column: pd.Categorical[Any]) -> dict[str, NDArray[Any]]:
    return {
        f"{name}.codes": column.codes.astype(np.int32),
        f"{name}.names": np.array([str(value) for value in column.categories], dtype=np.str_),
    }


def _column(arrays: Mapping[str, NDArray[Any]], name: str) -> pd.Categorical[Any]:
    names = pd.Index(arrays[f"{name}.names"].astype(str), dtype="str")
    return pd.Categorical.from_codes(arrays[f"{name}.codes"], categories=names)
