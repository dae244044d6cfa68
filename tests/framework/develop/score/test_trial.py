from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    ConfigurationError,
    DataError,
    Feature,
    ModelError,
    ScoreOutcome,
    Scores,
)
from loopcast.develop.holdout import Holdout
from loopcast.develop.score.trial import answer, lay_out, split_rows

from .conftest import FEATURES, score_data

OUT_OF_TIME = Holdout(method="time", share=0.25, count=1)
DRAWN = Holdout(method="random", share=0.25, count=1)


def test_out_of_time_judges_what_came_after_all_that_was_learned(table: pd.DataFrame) -> None:
    table.loc[::10, "outcome"] = None
    split = split_rows(score_data(table), OUT_OF_TIME, seed=1)
    assert split.training.time is not None
    assert split.judged.time is not None
    assert split.training.time.max() < split.judged.time.min()
    assert not np.isnan(split.judged.target).any()
    assert np.isnan(split.training.target).any()
    assert 0.2 < split.rows / table["outcome"].notna().sum() <= 0.25
    first = str(split.judged.time.min())[:10]
    assert split.protocol == (f"out of time, the last 25 % of the known outcomes, from {first} on")


def test_a_moment_is_not_torn_apart(table: pd.DataFrame) -> None:
    months = table["at"].str[:7] + "-01"
    split = split_rows(score_data(table.assign(at=months)), OUT_OF_TIME, seed=1)
    assert split.training.time is not None
    assert not set(split.training.time.astype(str)) & set(split.judged.time.astype(str))


def test_a_random_part_follows_from_the_seed(table: pd.DataFrame) -> None:
    table.loc[::10, "outcome"] = None
    data = score_data(table)
    one, same, other = (split_rows(data, DRAWN, seed=s) for s in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.rows == round(180 * 0.25)
    assert len(one.training.target) == 200 - one.rows
    assert one.protocol == "random 25 % of the known outcomes, drawn with seed 1"
    untimed = split_rows(score_data(table, time=None), OUT_OF_TIME, seed=1)
    assert untimed.protocol == one.protocol


def test_both_parts_need_both_outcomes(table: pd.DataFrame) -> None:
    table["outcome"] = np.where(np.arange(200) < 20, table["outcome"], "good")
    with pytest.raises(DataError, match=r"the held-out part .* has \d+ rows, 0 of them with the"):
        split_rows(score_data(table), OUT_OF_TIME, seed=1)
    with pytest.raises(ConfigurationError, match="holdout=last is for rankings"):
        split_rows(score_data(table), Holdout(method="last", share=0.5, count=1), seed=1)


class Fixed:
    """A scorer that says what it was told to say."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def predict(self, rows: pd.DataFrame) -> Scores:
        return Scores(probability=np.array(self.values))

    def save(self) -> dict[str, bytes]:
        return {}


def test_what_is_no_probability_is_refused(table: pd.DataFrame) -> None:
    split = split_rows(score_data(table), DRAWN, seed=1)
    wrong = [0.5] * split.rows
    with pytest.raises(ModelError, match=r"have shape \(2,\)"):
        answer(Fixed([0.1, 0.2]), split, "demo.fixed")
    for value in (1.5, -0.1, float("nan")):
        with pytest.raises(ModelError, match="1 scores are no probabilities, the first") as caught:
            answer(Fixed([*wrong[:-1], value]), split, "demo.fixed")
        assert str(split.judged.features.index[-1]) in str(caught.value)


def test_judged_rows_know_their_key_and_their_subpopulations(table: pd.DataFrame) -> None:
    table["age"] = np.arange(200.0)
    features = FEATURES | {"age": Feature(kind="numeric", protected=True, used=False)}
    split = split_rows(score_data(table, features=features), DRAWN, seed=1)
    found = answer(Fixed([0.5] * split.rows), split, "demo.fixed")
    judged = lay_out(split, {"fixed": found})
    assert list(judged.keys[0]) == list(split.judged.features.index)
    subsets = dict(judged.subsets())
    assert len(subsets[""]) == split.rows
    assert len(subsets["sex=f"]) + len(subsets["sex=m"]) == split.rows
    bands = [name for name in subsets if name.startswith("age=")]
    assert len(bands) == 4
    assert sum(len(subsets[name]) for name in bands) == split.rows
    assert isinstance(judged.outcomes["fixed"], ScoreOutcome)
