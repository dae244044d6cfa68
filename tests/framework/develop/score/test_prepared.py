from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    DataError,
    Files,
    FitContext,
    Hyperparameters,
    LoopcastError,
    ScoreData,
    Scorer,
    fit_each,
)
from loopcast.develop.engine import LocalEngine
from loopcast.develop.score.prepared import ChosenPreparation, PreparedTemplate

from .conftest import score_data


class Half(Hyperparameters, frozen=True):
    least: int = 10


class FirstHalf:
    """Learn from the first half of the rows."""

    name = "demo.first_half"
    summary = "the first half"
    options = Half

    def assumptions(self, options: Half) -> tuple[str, ...]:
        return (f"{options.least} rows are enough.",)

    def prepare(self, data: ScoreData, options: Half, seed: int) -> ScoreData:
        if len(data.target) < 2 * options.least:
            raise DataError(f"{len(data.target)} rows; expected {2 * options.least}")
        half = data.take(np.arange(len(data.target) // 2))
        return replace(half, weight=half.weight * (1 + seed))


class Counting:
    """A template whose model is what it was given."""

    name = "demo.counting"
    task: Literal["score"] = "score"
    summary = "counts"
    hyperparameters = Hyperparameters

    def fit(
        self, family: Mapping[str, ScoreData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Any | LoopcastError]]:
        return fit_each(family, lambda data: (len(data.target), data.weight.sum()))

    def load(self, files: Files) -> Scorer:
        raise AssertionError


def test_a_template_learns_from_what_a_preparation_gives(table: pd.DataFrame) -> None:
    prepared = PreparedTemplate(Counting(), ChosenPreparation(FirstHalf(), Half()))
    data = score_data(table)
    small = data.take(np.arange(15))
    family = {"small": small, "north": data}
    context = FitContext(seed=2, engine=LocalEngine())
    found: dict[str, Any] = dict(prepared.fit(family, Hyperparameters(), context))
    assert found["north"] == (100, 300.0)
    assert str(found["small"]) == "15 rows; expected 20"
    assert (prepared.name, prepared.task, prepared.summary) == ("demo.counting", "score", "counts")


def test_statements_say_what_was_done_and_assumed(table: pd.DataFrame) -> None:
    table["outcome"] = np.where(np.arange(200) % 4 == 0, "bad", "good")
    data = score_data(table)
    data.target[::8] = np.nan
    chosen = ChosenPreparation(FirstHalf(), Half(least=5))
    assert chosen.described() == ["demo.first_half", {"least": 5}]
    assert chosen.statements(data, 1, {}) == (
        "Prepared by demo.first_half: the first half.",
        "Before, 175 of 200 rows have an outcome, which is 'bad' for 14.3% of their weight of 175; "
        "after, 87 of 100 rows have an outcome, which is 'bad' for 13.8% of their weight of 174.",
        "5 rows are enough.",
    )


def test_rows_are_taken_with_all_that_is_known_of_them(table: pd.DataFrame) -> None:
    passed = np.arange(200) % 2 == 0
    table = table.assign(passed=passed, outcome=table["outcome"].where(passed), chance=0.5)
    data = score_data(table, accepted="passed", chance="chance")
    rows = np.array([4, 4, 1])
    part = data.take(rows)
    assert list(part.features.index) == [f"a1_{row}" for row in rows]
    for name in ("target", "weight", "time", "accepted", "chance"):
        np.testing.assert_array_equal(getattr(part, name), getattr(data, name)[rows])
    assert part.attributes is not None
    assert data.attributes is not None
    pd.testing.assert_frame_equal(part.attributes, data.attributes.iloc[rows])
    with pytest.raises(IndexError):
        data.take(np.array([200]))
