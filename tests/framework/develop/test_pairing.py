"""Two versions are put side by side where they were judged on the same rows, in the same way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loopcast.api import Evaluation, IntegrityError, Judged, NotFoundError, ScoreOutcome
from loopcast.develop.pairing import comparable, pair


def evaluation(data: str = "a", protocol: str = "held out") -> Evaluation:
    return Evaluation(contender="x", dataset=data * 64, protocol=protocol, metrics=())


def test_only_what_was_judged_alike_is_comparable() -> None:
    first = [evaluation("a"), evaluation("b")]
    assert comparable(first, [evaluation("b")]) == first[1]
    for second in ([], [evaluation("c")], [evaluation("a", "in sample")]):
        with pytest.raises(NotFoundError, match="never judged on the same dataset in the same way"):
            comparable(first, second)


def contest(probability: float, names: str = "xyz", actual: float = 1.0) -> Judged:
    ones = np.ones(len(names))
    outcome = ScoreOutcome(
        actual=actual * ones, probability=probability * ones, weight=np.ones(len(names))
    )
    return Judged(
        keys=(pd.Categorical(list(names)),),
        block=np.arange(len(names)),
        overall=np.ones(len(names), bool),
        attributes={},
        outcomes={"candidate": outcome, "baseline": outcome},
    )


def test_two_contests_on_the_same_rows_are_a_pair() -> None:
    first, second = contest(0.2), contest(0.7)
    both = pair(first, second, ("a", "b"))
    assert both.outcomes == {
        "a": first.outcomes["candidate"],
        "b": second.outcomes["candidate"],
    }
    shared = replace(second, keys=first.keys)
    assert pair(first, shared, ("a", "b")).outcomes == both.outcomes


@pytest.mark.parametrize(
    "other",
    [contest(0.2, "xyzz"), contest(0.2, "xyw"), contest(0.2, "zyx"), contest(0.2, actual=0.0)],
    ids=["more rows", "another row", "another order", "another truth"],
)
def test_other_rows_or_other_truths_are_no_pair(other: Judged) -> None:
    with pytest.raises(IntegrityError, match="versions a and b say that they were judged on the s"):
        pair(contest(0.2), other, ("a", "b"))
