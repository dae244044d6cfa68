from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from loopcast.api import (
    ConfigurationError,
    DataError,
    Feature,
    ModelError,
    ScoreOutcome,
    Scores,
)
from loopcast.develop.holdout import Holdout
from loopcast.develop.score.metrics import auc
from loopcast.develop.score.trial import answer, lay_out, split_rows

from ...examples import applications
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


@pytest.mark.parametrize("until", ["2024-07-01", "2024-12-30"])
def test_beside_a_champion_the_later_half_of_what_is_new_is_judged(until: str) -> None:
    data = score_data(applications(1_000, seed=3))
    moment = datetime.fromisoformat(until).replace(tzinfo=UTC)
    split = split_rows(data, OUT_OF_TIME.after(moment), seed=1)
    assert data.time is not None
    assert split.judged.time is not None
    assert split.training.time is not None
    new = np.sort(data.time[data.time > np.datetime64(until)])
    if len(new) < 200:  # too few to tell anything by: as without a champion
        assert split.rows == split_rows(data, OUT_OF_TIME, seed=1).rows
    else:
        assert split.judged.time.min() > new[len(new) // 2 - 10]
        assert (split.training.time > np.datetime64(until)).sum() > 0.45 * len(new)


def test_a_draw_makes_the_judgement_that_of_all_who_applied() -> None:
    """Of whom a cut-off refuses, one in twenty is let in: metrics are those of everybody."""
    table = applications(40_000, seed=2)
    event = (table["outcome"] == "bad").to_numpy()
    probability = np.clip(0.3 - table["income"].to_numpy() / 20_000, 0.01, 0.99)
    refused = probability > np.quantile(probability, 0.6)
    drawn = refused & (np.random.default_rng(0).random(len(table)) < 0.05)
    accepted = ~refused | drawn
    seen = table.assign(
        passed=accepted,
        chance=np.where(drawn, 0.05, 1.0),
        outcome=table["outcome"].where(accepted),
    )
    data = score_data(seen, accepted="passed", chance="chance")
    split = split_rows(data, Holdout(method="random", share=0.9, count=1), seed=0)

    def share(weight: NDArray[np.float64]) -> float:
        return float(np.average(split.judged.target, weights=weight))

    judged = data.features.index.get_indexer(split.judged.features.index)
    outcome = answer(Fixed(probability[judged].tolist()), split, "demo.fixed")
    assert share(outcome.weight) == pytest.approx(event.mean(), abs=0.01)
    assert share(np.ones(split.rows)) < event.mean() - 0.02
    everybody = ScoreOutcome(
        actual=event.astype(np.float64), probability=probability, weight=np.ones(len(event))
    )
    assert auc(outcome) == pytest.approx(auc(everybody), abs=0.02)


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
    untimed = split_rows(score_data(table, time=None), DRAWN, seed=1)
    assert untimed.protocol == one.protocol


def test_rows_are_never_drawn_unless_it_is_asked_for(table: pd.DataFrame) -> None:
    with pytest.raises(ConfigurationError, match="or ask for random rows: holdout=random"):
        split_rows(score_data(table, time=None), OUT_OF_TIME, seed=1)


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
