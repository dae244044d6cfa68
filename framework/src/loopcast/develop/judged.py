"""Judged rows as a file of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    ForecastOutcome,
    IntegrityError,
    Judged,
    Outcome,
    Ranking,
    RankOutcome,
    ScoreOutcome,
    Task,
    npz_bytes,
    read_npz,
)

JUDGED_FILE = "judged.npz"
"""Its name in a bundle."""

CHAMPION = "champion "
"""With what the label of a champion begins that was judged beside a version; no name of a
contender in configuration has a space."""

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
_OPTIONAL: dict[Task, tuple[str, ...]] = {
    "forecast": (),
    "score": ("sets", "amount"),
    "rank": ("chosen_value", "expected_value"),
}


def champion_label(version: str) -> str:
    """Return the label of a champion that was judged beside a version, by its id."""
    return f"{CHAMPION}{version}"


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
        arrays |= {f"{name}.{number}": values[name] for name in _present(task, values)}
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
        own = [_own(task, arrays, number) for number in range(len(labels))]
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


def _present(task: Task, values: Mapping[str, Any]) -> list[str]:
    """Return which of the optional arrays of an outcome it has."""
    return [name for name in _OPTIONAL[task] if values[name] is not None]


def _own(task: Task, arrays: Mapping[str, NDArray[Any]], number: int) -> dict[str, NDArray[Any]]:
    found = {name: arrays[f"{name}.{number}"] for name in _OWN[task]}
    optional = {name: f"{name}.{number}" for name in _OPTIONAL[task]}
    return found | {name: arrays[key] for name, key in optional.items() if key in arrays}


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
        f"{name}.names": column.categories.to_numpy(object).astype(np.str_),
    }


def _column(arrays: Mapping[str, NDArray[Any]], name: str) -> pd.Categorical[Any]:
    names = pd.Index(arrays[f"{name}.names"].astype(str), dtype="str")
    return pd.Categorical.from_codes(arrays[f"{name}.codes"], categories=names)
