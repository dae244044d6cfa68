from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from loopcast.api import Feature, RankData, RankSchema
from loopcast_recommender.features.fit import fit_features
from loopcast_recommender.features.groups import behaviour, grouping_of, moments
from loopcast_recommender.features.hyperparameters import FeatureParameters
from loopcast_recommender.features.model import load_features, same_kind

from ..samples import noise, query, rank_data

QUICK = FeatureParameters(ridges=(30.0,), half_lives=(None,))
SCHEMA = RankSchema(
    entity="customer",
    item="product",
    time="sold",
    length=5,
    entity_features={"town": Feature(kind="category"), "age": Feature(kind="numeric")},
    item_features={"kind": Feature(kind="category")},
)


def towns(seed: int, rows: int = 4_000) -> RankData:
    """Entities of four towns, each of which chooses items of its own; age says nothing."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 200, rows)
    own = rng.integers(0, 15, rows) * 4 + who % 4
    what = np.where(rng.random(rows) < 0.3, rng.integers(0, 60, rows), own)
    data = rank_data(who, what, SCHEMA)
    town = np.array(["north", "east", "south", "west"])[[int(n[1:]) % 4 for n in data.entities]]
    entity = pd.DataFrame({"town": pd.Categorical(town), "age": rng.uniform(20, 80, len(town))})
    kind = pd.DataFrame({"kind": pd.Categorical([f"k{int(n[1:]) % 3}" for n in data.items])})
    return replace(
        data,
        entity_features=entity.set_index(data.entities),
        item_features=kind.set_index(data.items),
    )


def asked_new(data: RankData, town: str) -> Any:
    features = pd.DataFrame({"town": [town], "age": [50.0]})
    return query(data, entities=np.array([-1], np.int32), entity_features=features)


def test_a_new_entity_gets_what_those_like_it_choose() -> None:
    data = towns(seed=1)
    model = fit_features(data, QUICK, seed=0)
    assert model.cold is not None
    for place, town in enumerate(("north", "east", "south", "west")):
        [items] = model.predict(asked_new(data, town)).items
        assert [int(data.items[item][1:]) % 4 for item in items] == [place] * 5
    [unknown] = model.predict(asked_new(data, "nowhere")).items
    assert len(set(unknown.tolist())) == 5


def test_candidates_are_looked_at_again_only_where_that_helps() -> None:
    assert fit_features(noise(seed=1), QUICK, seed=0).warm is None


def test_what_is_excluded_is_no_candidate() -> None:
    data = towns(seed=2)
    model = fit_features(data, QUICK, seed=0)
    shape = (len(data.entities) + 1, len(data.items))
    hidden = sparse.csr_array(np.random.default_rng(1).random(shape) < 0.5)
    found = model.predict(query(data, excluded=hidden))
    shown = np.take_along_axis(hidden.toarray(), np.maximum(found.items, 0), axis=1)
    assert not shown[found.items >= 0].any()


def test_a_model_survives_its_files() -> None:
    data = towns(seed=3)
    model = replace(fit_features(data, QUICK, seed=0), warm=np.linspace(-1, 1, 12))
    assert len(model.tables.names()) == 11
    again = load_features(model.save())
    later = query(data, moment=np.datetime64("2026-07-01"))
    for asked in (query(data), asked_new(data, "east"), later):
        expected, found = model.predict(asked), again.predict(asked)
        assert np.array_equal(expected.items, found.items)
        assert np.array_equal(expected.scores, found.scores)


def test_the_moment_matters() -> None:
    rng = np.random.default_rng(1)
    data = rank_data(rng.integers(0, 100, 6_000), rng.integers(0, 20, 6_000))
    days = np.sort(rng.integers(0, 365, 6_000)).astype("timedelta64[D]")
    time = np.datetime64("2025-01-01", "us") + days
    winter = np.asarray(pd.DatetimeIndex(time).month) <= 3
    item = np.where(winter & (rng.random(6_000) < 0.5), 7, data.item).astype(np.int32)
    tables = fit_features(replace(data, item=item, time=time), QUICK, seed=0).tables
    assert tables.lifts["season"][0, 7] > 0.5
    assert tables.lifts["season"][1, 7] < -0.5


def test_what_pay_day_counts_is_learned_from_choices_of_many_days() -> None:
    rng = np.random.default_rng(2)
    data = rank_data(rng.integers(0, 150, 6_000), rng.integers(0, 30, 6_000))
    days = np.sort(rng.integers(0, 365, 6_000)).astype("timedelta64[D]")
    time = np.datetime64("2025-01-15", "us") + days
    paid = moments(time, pay_day=28)["pay day"] == 0
    item = np.where(paid & (rng.random(6_000) < 0.6), rng.integers(0, 5, 6_000), data.item)
    model = fit_features(replace(data, item=item.astype(np.int32), time=time), QUICK, seed=0)
    assert model.cold is not None
    for day, expected in (("2026-01-27", True), ("2026-01-10", False)):
        asked = query(data, entities=np.array([-1], np.int32), moment=np.datetime64(day, "us"))
        [items] = model.predict(asked).items
        assert (set(items[:5].tolist()) == set(range(5))) == expected


def test_behaviour_is_that_of_the_last_days() -> None:
    data = rank_data(np.array([1, 2, 2, 2]), np.array([1, 1, 2, 3]))
    days = np.array([20, 61, 95, 99], dtype="timedelta64[D]")
    moved = replace(data, time=np.datetime64("2026-01-01", "us") + days)
    found = behaviour(moved)
    assert found["bought in a week"].tolist() == [0.0, 2.0]
    assert found["bought in a month"].tolist() == [0.0, 2.0]
    assert np.isnan(found["growth of spending"][0])
    assert found["growth of spending"][1] == pytest.approx(np.log(3.0) - np.log(2.0))


def test_groups_of_values_that_are_missing_or_new_are_none() -> None:
    numbers = grouping_of(np.array([1.0, 2.0, 3.0, 4.0, np.nan]), 2)
    assert numbers.codes(np.array([0.0, 9.0, np.nan])).tolist() == [0, 1, -1]
    texts = grouping_of(pd.Series(["b", "a", None], dtype="str"), 2)
    assert texts.codes(pd.Series(["a", "b", "c", None], dtype="str")).tolist() == [0, 1, -1, -1]


def test_pay_day_and_season() -> None:
    days = ["2026-01-28", "2026-01-27", "2026-01-29", "2026-12-15"]
    found = moments(np.array(days, dtype="datetime64[us]"), pay_day=28)
    assert found["season"].tolist() == [0, 0, 0, 3]
    assert found["pay day"].tolist() == [0, 0, 3, 2]


def test_the_share_of_a_kind() -> None:
    history = sparse.csr_array(np.array([[1.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]]))
    found = same_kind(history, np.array([0, 0, 1, -1]))
    assert found[0].tolist() == pytest.approx([2 / 3, 2 / 3, 0.0, 0.0])
    assert found[1].tolist() == [0.0] * 4
