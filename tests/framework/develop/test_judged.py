from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    DataError,
    ForecastOutcome,
    IntegrityError,
    Judged,
    Outcome,
    Ranking,
    RankOutcome,
    ScoreOutcome,
    Task,
    row_count,
    take,
)
from loopcast.develop.judged import judged_bytes, read_judged

ROWS = 6


def outcomes(task: Task) -> dict[str, Outcome]:
    rng = np.random.default_rng(4)
    actual = rng.uniform(size=ROWS).round()
    chosen = np.array([0, 0, 2, 5, 1, 5], np.int32)

    def one() -> Outcome:
        if task == "forecast":
            quantiles = rng.normal(size=(ROWS, 3)).astype(np.float32)
            return ForecastOutcome(
                actual=actual, mean=rng.normal(size=ROWS), levels=LEVELS, quantiles=quantiles
            )
        if task == "score":
            return ScoreOutcome(
                actual=actual, probability=rng.uniform(size=ROWS), weight=np.ones(ROWS)
            )
        ranking = Ranking(
            items=rng.integers(0, 9, (ROWS, 2)).astype(np.int32),
            scores=rng.uniform(size=(ROWS, 2)).astype(np.float32),
        )
        return RankOutcome(
            ranking=ranking,
            chosen_entity=chosen,
            chosen_item=np.arange(6, dtype=np.int32),
            popularity=np.full(9, 1 / 9),
            chosen_value=np.arange(6, dtype=np.float32),
            expected_value=rng.uniform(size=6).astype(np.float32),
        )

    return {"candidate": one(), "baseline": one()}


LEVELS = np.array([0.1, 0.5, 0.9])


def judged(task: Task) -> Judged:
    return Judged(
        keys=(pd.Categorical([f"row {i}" for i in range(ROWS)]),),
        block=np.array([0, 0, 1, 1, 2, 2]),
        overall=np.array([True, True, True, False, False, False]),
        attributes={"city": pd.Categorical(["b", "a", "b", "a", "c", "c"])},
        outcomes=outcomes(task),
    )


@pytest.mark.parametrize("task", ["forecast", "score", "rank"])
def test_what_is_read_is_what_was_written(task: Task) -> None:
    written = judged(task)
    content = judged_bytes(written)
    again = read_judged(content, task)
    assert judged_bytes(again) == content
    assert list(again.outcomes) == ["candidate", "baseline"]
    assert list(again.keys[0]) == list(written.keys[0])
    assert [name for name, _ in again.subsets()] == ["", "city=a", "city=b", "city=c"]
    first, second = written.outcomes["baseline"], again.outcomes["baseline"]
    if isinstance(first, RankOutcome) and isinstance(second, RankOutcome):
        np.testing.assert_array_equal(first.ranking.scores, second.ranking.scores)
        np.testing.assert_array_equal(first.chosen_item, second.chosen_item)
        assert first.expected_value is not None
        assert second.expected_value is not None
        np.testing.assert_array_equal(first.expected_value, second.expected_value)
    else:
        np.testing.assert_array_equal(first.actual, second.actual)  # type: ignore[union-attr]


def test_a_subset_is_about_the_overall_rows_where_it_has_some() -> None:
    subsets = {name: list(rows) for name, rows in judged("score").subsets()}
    assert subsets == {"": [0, 1, 2], "city=a": [1], "city=b": [0, 2], "city=c": [4, 5]}
    assert [name for name, _ in judged("score").subsets(())] == [""]
    assert [name for name, _ in judged("score").subsets(("city", "age"))] == list(subsets)


def test_decision_sets_are_kept_for_the_contender_that_has_them() -> None:
    written = judged("score")
    sets = np.array([1, 2, 3, 1, 2, 3], np.int8)
    plain = written.outcomes["candidate"]
    assert isinstance(plain, ScoreOutcome)
    candidate = replace(plain, sets=sets)
    kept = replace(written, outcomes={**written.outcomes, "candidate": candidate})
    again = read_judged(judged_bytes(kept), "score").outcomes
    np.testing.assert_array_equal(again["candidate"].sets, sets)  # type: ignore[union-attr]
    assert again["baseline"].sets is None  # type: ignore[union-attr]
    taken = take(again["candidate"], np.array([2, 0]))
    assert taken.sets.tolist() == [3, 1]  # type: ignore[union-attr]


def test_rankings_are_taken_with_their_choices() -> None:
    outcome = outcomes("rank")["candidate"]
    assert isinstance(outcome, RankOutcome)
    again = take(outcome, np.array([5, 3, 0, 5]))
    assert row_count(again) == 4
    np.testing.assert_array_equal(again.ranking.items, outcome.ranking.items[[5, 3, 0, 5]])
    pairs = sorted(zip(again.chosen_entity.tolist(), again.chosen_item.tolist(), strict=True))
    # Entity 5 chose items 3 and 5, entity 0 items 0 and 1, entity 3 nothing.
    assert pairs == [(0, 3), (0, 5), (2, 0), (2, 1), (3, 3), (3, 5)]


def test_forecasts_are_taken_with_their_quantiles() -> None:
    outcome = outcomes("forecast")["candidate"]
    assert isinstance(outcome, ForecastOutcome)
    again = take(outcome, np.array([2, 2]))
    np.testing.assert_array_equal(again.quantiles, outcome.quantiles[[2, 2]])
    np.testing.assert_array_equal(again.levels, LEVELS)


def test_parts_of_different_length_are_refused() -> None:
    whole = judged("score")
    with pytest.raises(DataError, match="block has 6 rows, but attribute city has 2"):
        Judged(
            keys=whole.keys, block=whole.block, overall=whole.overall,
            attributes={"city": pd.Categorical(["a", "b"])}, outcomes=whole.outcomes,
        )  # fmt: skip


def test_judged_rows_of_another_task_are_refused() -> None:
    with pytest.raises(IntegrityError, match="no array 'weight', which those of the task score"):
        read_judged(judged_bytes(judged("forecast")), "score")
