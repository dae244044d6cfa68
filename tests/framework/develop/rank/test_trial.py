from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import (
    DataError,
    Feature,
    Files,
    ModelError,
    RankData,
    Ranking,
    RankOutcome,
    RankQuery,
    RankSchema,
)
from loopcast.develop.holdout import Holdout
from loopcast.develop.rank.prepare import (
    dataset_record,
    fingerprint,
    part_of,
    prepare_rank,
)
from loopcast.develop.rank.query import ranked
from loopcast.develop.rank.trial import answer, keys, lay_out, split_interactions
from loopcast.settings import RankTable

from ...examples import sales


def rank_schema(**changes: Any) -> RankSchema:
    values: dict[str, Any] = {"entity": "customer", "item": "product", "time": "sold", "length": 5}
    return RankSchema(**(values | changes))


def rank_data(table: pd.DataFrame, names: RankTable | None = None, **changes: Any) -> RankData:
    return prepare_rank(table, names or RankTable(), rank_schema(**changes), "sales.csv").data


@pytest.fixture
def table() -> pd.DataFrame:
    return sales(600, seed=1)


NEXT = Holdout(method="time", share=0.25, count=1)


def test_interactions_are_coded_and_in_the_order_of_time(table: pd.DataFrame) -> None:
    mixed = table.sample(frac=1.0, random_state=3)
    data = rank_data(mixed)
    assert (np.diff(data.time) >= np.timedelta64(0, "us")).all()
    coded = sorted(zip(data.entities[data.entity], data.items[data.item], strict=True))
    assert coded == sorted(zip(table["customer"], table["product"], strict=True))
    assert data.value.tolist() == [1.0] * 600


def test_what_is_no_interaction_is_left_out_and_counted(table: pd.DataFrame) -> None:
    table["quantity"] = np.where(np.arange(600) < 5, -1.0, 2.0)
    table.loc[595:, "customer"] = None
    names = RankTable(minimum_value=0.0)
    with pytest.raises(DataError, match=r"column 'customer': missing values \(5\)"):
        rank_data(table, names, value="quantity")
    names = RankTable(minimum_value=0.0, anonymous="drop")
    prepared = prepare_rank(table, names, rank_schema(value="quantity"), "sales.csv")
    assert len(prepared.data.item) == 590
    record = dataset_record("sales", prepared, "sales.csv")
    assert record.origin == "sales.csv (left out 5 without an entity and 5 below 0)"
    with pytest.raises(DataError, match="no interactions; left out 600 below 9"):
        rank_data(table.assign(customer="x"), RankTable(minimum_value=9.0), value="quantity")


def test_features_are_those_that_were_seen_last(table: pd.DataFrame) -> None:
    table["age"] = np.arange(600.0)
    data = rank_data(table, entity_features={"age": Feature(kind="numeric")})
    assert data.entity_features is not None
    newest = table.groupby("customer")["age"].last()
    pd.testing.assert_series_equal(
        data.entity_features["age"],
        newest[data.entities],
        check_names=False,
        check_index_type=False,
    )


def test_the_fingerprint_is_that_of_the_content(table: pd.DataFrame) -> None:
    data = rank_data(table)
    assert fingerprint(rank_data(table.copy())) == fingerprint(data)
    for column, value in [("customer", "new"), ("product", "new"), ("sold", "2020-01-01")]:
        changed = table.copy()
        changed.loc[7, column] = value
        assert fingerprint(rank_data(changed)) != fingerprint(data)


def test_a_part_has_only_what_occurs_in_it(table: pd.DataFrame) -> None:
    data = rank_data(table)
    rows = np.arange(600) < 40
    part = part_of(data, rows).data
    assert set(part.entities[part.entity]) == set(part.entities)
    assert list(part.items[part.item]) == list(data.items[data.item[rows]])
    assert list(part.entities[part.entity]) == list(data.entities[data.entity[rows]])


def test_the_fingerprint_of_what_is_judged_is_that_of_its_data(table: pd.DataFrame) -> None:
    table["age"] = np.arange(600.0)
    data = rank_data(table, entity_features={"age": Feature(kind="numeric")})
    split = split_interactions(data, NEXT, seed=0)
    judged = slice(len(split.training.item), None)
    assert split.fingerprint == fingerprint(part_of(data, judged).data)


@settings(deadline=None, max_examples=30)
@given(days=st.lists(st.integers(0, 20), min_size=40, max_size=60), since=st.integers(0, 19))
def test_after_a_champion_half_is_learned_from_and_half_is_judged(
    days: list[int], since: int
) -> None:
    days = sorted([*days, 0, 20])
    table = sales(len(days), seed=1, customers=3, products=3)
    table["sold"] = (np.datetime64("2024-01-01") + np.array(days)).astype(str)
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=since)
    split = split_interactions(rank_data(table, repeat=True), replace(NEXT, since=moment), seed=0)
    later = [day for day in days if day > since]
    first = later[len(later) // 2]
    assert len(split.training.item) == sum(day < first for day in days)
    assert f"what came after 2024-01-{since + 1:02d}, until when" in split.protocol
    assert split.protocol.endswith(f"from 2024-01-{first + 1:02d}; lists of 5")


def test_what_came_after_a_champion_is_wanted(table: pd.DataFrame) -> None:
    data = rank_data(table)
    end = pd.Timestamp(data.time[-1], tz="UTC").to_pydatetime()
    with pytest.raises(DataError, match="0 of them would be judged"):
        split_interactions(data, replace(NEXT, since=end), seed=0)


def brute_choices(
    table: pd.DataFrame, first: pd.Timestamp, *, repeat: bool
) -> set[tuple[str, str]]:
    past, later = table[table["sold"] < str(first)], table[table["sold"] >= str(first)]
    bought = set(zip(past["customer"], past["product"], strict=True))
    return {
        (who, what)
        for who, what in zip(later["customer"], later["product"], strict=True)
        if what in set(past["product"]) and (repeat or (who, what) not in bought)
    }


@pytest.mark.parametrize("repeat", [False, True])
def test_what_came_next_is_judged(table: pd.DataFrame, repeat: bool) -> None:
    split = split_interactions(rank_data(table, repeat=repeat), NEXT, seed=0)
    choices = split.judged
    first = pd.Timestamp(split.training.time.max()) + pd.Timedelta(days=1)
    found = set(
        zip(
            choices.entities[choices.chosen_entity],
            split.training.items[choices.chosen_item],
            strict=True,
        )
    )
    assert found == brute_choices(table, first, repeat=repeat)
    assert split.rows == len(found)
    known = choices.query.entities >= 0
    assert list(split.training.entities[choices.query.entities[known]]) == list(
        choices.entities[known]
    )
    if repeat:
        assert choices.query.excluded is None
    else:
        past = set(zip(split.training.entity, split.training.item, strict=True))
        rows, items = choices.query.excluded.nonzero()
        own = {(e, i) for e, i in past if e in set(choices.query.entities)}
        assert set(zip(choices.query.entities[rows], items, strict=True)) == own


def test_the_last_choices_of_each_are_held_out(table: pd.DataFrame) -> None:
    data = rank_data(table)
    split = split_interactions(data, Holdout(method="last", share=0.5, count=2), seed=0)
    kept = np.bincount(split.training.entity)
    before = pd.Series(data.entities[data.entity]).value_counts()
    expected = before.where(before <= 2, before - 2)
    assert dict(zip(split.training.entities, kept, strict=True)) == expected.to_dict()


def test_a_random_part_follows_from_the_seed(table: pd.DataFrame) -> None:
    plan = Holdout(method="random", share=0.2, count=1)
    one, same, other = (split_interactions(rank_data(table), plan, s) for s in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.training.item) == 480


@pytest.mark.parametrize("method", ["time", "last", "random"])
@pytest.mark.parametrize("repeat", [False, True])
def test_judged_are_the_choices_that_could_be_foreseen(
    table: pd.DataFrame, method: Literal["time", "last", "random"], repeat: bool
) -> None:
    table = pd.concat([table, table.tail(50).assign(customer="late")])
    data = rank_data(table, repeat=repeat)
    split = split_interactions(data, Holdout(method=method, share=0.1, count=2), seed=4)
    training, choices = split.training, split.judged
    names = data.entities[data.entity], data.items[data.item]
    learned = training.entities[training.entity], training.items[training.item]
    seen = Counter(zip(*learned, strict=True))
    held_out = set(Counter(zip(*names, strict=True)) - seen)
    assert set(
        zip(
            choices.entities[choices.chosen_entity],
            training.items[choices.chosen_item],
            strict=True,
        )
    ) == {pair for pair in held_out if pair[1] in training.items and (repeat or pair not in seen)}
    codes = training.entities.get_indexer(choices.entities)
    assert choices.query.entities.tolist() == codes.tolist()
    if repeat:
        assert choices.query.excluded is None
        return
    row, item = choices.query.excluded.nonzero()
    assert set(zip(choices.entities[row], training.items[item], strict=True)) == {
        pair for pair in seen if pair[0] in choices.entities
    }


def test_nothing_to_judge_is_said(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="cannot be split"):
        split_interactions(rank_data(table.assign(sold="2024-01-01")), NEXT, seed=0)
    once = table.assign(product=[f"p{row}" for row in range(600)])
    with pytest.raises(DataError, match="are of items that training has never seen"):
        split_interactions(rank_data(once), NEXT, seed=0)


class Fixed:
    """A ranker that answers every entity with the same list."""

    def __init__(self, items: list[int], scores: list[float] | None = None) -> None:
        self.items = items
        self.scores = scores or list(np.linspace(1.0, 0.5, len(items)))

    def predict(self, query: RankQuery) -> Ranking:
        count = len(query.entities)
        return Ranking(
            items=np.tile(np.array(self.items, np.int32), (count, 1)),
            scores=np.tile(np.array(self.scores, np.float32), (count, 1)),
        )

    def save(self) -> dict[str, bytes]:
        return {}


def ask(model: Fixed, **changes: Any) -> Ranking:
    allowed = np.array([True] * 6 + [False])
    query = RankQuery(entities=np.array([0, -1], np.int32), length=3, allowed=allowed)
    return ranked(model, query, rank_schema(**changes), "demo.fixed")


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([0, 1, 7], "items that do not exist"),
        ([0, 6, -1], "items that are not allowed"),
        ([2, 1, 2], "an item twice"),
        ([0, 1, 2, 3], r"lists have shape \(2, 4\)"),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused(items: list[int], problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        ask(Fixed(items))
    with pytest.raises(ModelError, match="no finite score"):
        ask(Fixed([0, 1, 2], [1.0, float("nan"), 0.2]))


def test_what_was_chosen_before_may_not_come_again(table: pd.DataFrame) -> None:
    split = split_interactions(rank_data(table), NEXT, seed=0)
    with pytest.raises(ModelError, match="items that are excluded"):
        answer(Fixed([0, 1, 2, 3, 4]), split, "demo.fixed")


def test_a_short_list_is_filled_up_and_a_low_score_recommends_nothing() -> None:
    found = ask(Fixed([3, 1]), minimum_score=0.9)
    assert found.items.tolist() == [[3, -1, -1]] * 2
    assert np.isnan(found.scores[:, 1:]).all()


def test_judged_entities_are_known_or_new(table: pd.DataFrame) -> None:
    late = table.tail(50).assign(customer="late")
    table = pd.concat([table, late], ignore_index=True)
    table["plan"] = np.where(table["customer"] < "c2", "basic", "gold")
    features = {"plan": Feature(kind="category", protected=True)}
    data = rank_data(table, repeat=True, entity_features=features)
    split = split_interactions(data, NEXT, seed=0)
    judged = lay_out(split, {"fixed": answer(Fixed([0, 1, 2, 3, 4]), split, "demo.fixed")})
    subsets = dict(judged.subsets())
    [new] = subsets["entity=new"]
    assert keys(split)[0][new] == "late"
    assert len(subsets["plan=basic"]) + len(subsets["plan=gold"]) == len(judged.block)
    assert isinstance(judged.outcomes["fixed"], RankOutcome)


class Rates:
    """Expects what it is told, and ranks by the order of the items."""

    def __init__(self, expected: float) -> None:
        self.expected = expected

    def predict(self, query: RankQuery) -> Ranking:
        items = np.tile(np.arange(query.length, dtype=np.int32), (len(query.entities), 1))
        return Ranking(items=items, scores=-items.astype(np.float32))

    def rate(self, query: RankQuery, row: Any, item: Any) -> Any:
        return np.full(len(item), self.expected, np.float32)

    def save(self) -> Files:
        return {}


def test_a_rater_is_asked_for_ratings_where_there_are_some(table: pd.DataFrame) -> None:
    table["stars"] = np.arange(600) % 5 + 1.0
    split = split_interactions(rank_data(table, value="stars", repeat=True), NEXT, seed=0)
    outcome = answer(Rates(3.0), split, "acme.rates")
    assert outcome.expected_value is not None
    assert outcome.chosen_value is not None
    rows = table.iloc[-150:].drop_duplicates(["customer", "product"])
    chosen = zip(
        split.judged.entities[outcome.chosen_entity],
        split.training.items[outcome.chosen_item],
        outcome.chosen_value.tolist(),
        strict=True,
    )
    assert set(chosen) <= set(zip(rows["customer"], rows["product"], rows["stars"], strict=True))
    with pytest.raises(ModelError, match=r"acme.rates: ratings have shape .* 1\d\d of them not"):
        answer(Rates(np.nan), split, "acme.rates")
    plain = split_interactions(rank_data(table, repeat=True), NEXT, seed=0)
    assert answer(Rates(3.0), plain, "acme.rates").expected_value is None
