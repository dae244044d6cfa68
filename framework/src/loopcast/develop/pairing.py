"""What two versions were judged on: whether it is the same, and both on it side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    Evaluation,
    IntegrityError,
    Judged,
    NotFoundError,
    Outcome,
    RankOutcome,
)

if TYPE_CHECKING:
    import pandas as pd


def comparable(first: Sequence[Evaluation], second: Sequence[Evaluation]) -> Evaluation:
    """Return the first's evaluation on the dataset and by the protocol that both share.

    Raises
    ------
    NotFoundError
        When there is none: on different data, a difference would mean nothing.
    """
    others = {(evaluation.dataset, evaluation.protocol) for evaluation in second}
    for evaluation in first:
        if (evaluation.dataset, evaluation.protocol) in others:
            return evaluation
    raise NotFoundError(
        "the two versions cannot be compared, since they were never judged on the same dataset "
        f"in the same way: the first {_judged(first)}; the second {_judged(second)}"
    )


def _judged(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "was never judged"
    ways = (f"{evaluation.dataset[:12]} ({evaluation.protocol})" for evaluation in evaluations)
    return "on " + " and ".join(ways)


def pair(first: Judged, second: Judged, names: tuple[str, str]) -> Judged:
    """Put the candidates of two contests side by side.

    Raises
    ------
    IntegrityError
        Where the rows are not the same ones, or other things came true.
    """
    outcomes = dict(
        zip(names, (next(iter(j.outcomes.values())) for j in (first, second)), strict=True)
    )
    same_rows = len(first.keys) == len(second.keys) and all(
        map(_same_column, first.keys, second.keys)
    )
    truths = [_truth(outcome) for outcome in outcomes.values()]
    if not same_rows or not all(map(_same, *truths)):
        raise IntegrityError(
            f"versions {names[0]} and {names[1]} say that they were judged on the same data, but "
            "their judged rows differ; train both again with the same release of loopcast"
        )
    return Judged(
        keys=first.keys,
        block=first.block,
        overall=first.overall,
        attributes=first.attributes,
        outcomes=outcomes,
    )


def _same_column(first: pd.Categorical[Any], second: pd.Categorical[Any]) -> bool:
    return first is second or (
        _same(first.categories.to_numpy(object), second.categories.to_numpy(object))
        and _same(first.codes, second.codes)
    )


def _same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return first is second or np.array_equal(first, second)


def _truth(outcome: Outcome) -> list[NDArray[np.generic]]:
    if isinstance(outcome, RankOutcome):
        return [outcome.chosen_entity, outcome.chosen_item]
    return [outcome.actual]
