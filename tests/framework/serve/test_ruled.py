"""Lists under rules, against the same said list by list, and what is told of each rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import DataError, Feature, Ranking, RankQuery, RankSchema
from loopcast.develop.rank.query import pairs_matrix, ranked
from loopcast.serve.hidden import Subject
from loopcast.serve.ruled import rule_lists
from loopcast.serve.rules import RuleBook, read_rules

SCHEMA = RankSchema(
    entity="customer",
    item="product",
    time="sold",
    length=4,
    entity_features={"city": Feature(kind="category"), "age": Feature(kind="numeric")},
    item_features={"kind": Feature(kind="category"), "price": Feature(kind="numeric")},
)
CUSTOMERS, PRODUCTS = 5, 12


class Fixed:
    """Ranks by scores that are given, as a model does."""

    def __init__(self, scores: Any) -> None:
        self.scores = scores

    def predict(self, query: RankQuery) -> Ranking:
        barred = ~np.broadcast_to(query.allowed, self.scores.shape)
        if query.excluded is not None:
            barred = barred | (query.excluded.toarray() != 0)
        scores = np.where(barred, -np.inf, self.scores)
        items = np.argsort(-scores, axis=1, kind="stable")[:, : query.length]
        scores = np.take_along_axis(scores, items, axis=1)
        filled = np.isfinite(scores)
        return Ranking(
            items=np.where(filled, items, -1).astype(np.int32),
            scores=np.where(filled, scores, np.nan).astype(np.float32),
        )

    def save(self) -> dict[str, bytes]:
        return {}


def book(rows: list[dict[str, Any]]) -> RuleBook:
    found = read_rules(pd.DataFrame(rows, columns=[*_COLUMNS]), "rules.csv").of("")
    found.check(SCHEMA)
    return found


_COLUMNS = (
    "rule", "does", "entity", "entity_feature", "entity_value", "item", "feature", "value", "number"
)  # fmt: skip
CITIES = {"c0": "north", "c1": "south", "c2": "north", "c3": None, "c4": "south"}


def lists(rules: RuleBook, seed: int) -> tuple[Any, Subject, Any, Any]:
    """Return what rules made of random scores, whom it is about, the scores, and who chose what."""
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.arange(CUSTOMERS * PRODUCTS)).reshape(CUSTOMERS, PRODUCTS) / 10.0
    chosen = rng.random((CUSTOMERS, PRODUCTS)) < 0.2
    row, item = np.nonzero(chosen)
    items = pd.Index([*(f"p{n}" for n in range(PRODUCTS)), "new"], dtype="str")
    features = pd.DataFrame(
        {"kind": pd.Categorical([*"aabbccddaabb", None]), "price": [*range(PRODUCTS), np.nan]},
        index=items,
    )
    about = Subject(
        entities=pd.Index([*CITIES], dtype="str"),
        entity_features=pd.DataFrame({"city": pd.Categorical([*CITIES.values()])}, [*CITIES]),
        items=items,
        features=features,
        row=row,
        item=item,
        ago=np.zeros(len(row)),
    )
    query = RankQuery(
        entities=np.arange(CUSTOMERS, dtype=np.int32),
        length=SCHEMA.length,
        allowed=np.ones(PRODUCTS, dtype=bool),
        excluded=pairs_matrix(row, item, (CUSTOMERS, PRODUCTS)),
    )
    model = Fixed(scores)
    found = rule_lists(rules, query, about, lambda q: ranked(model, q, SCHEMA, "fixed"))
    return found, about, scores, chosen


def holds(rule: dict[str, Any], customer: str) -> bool:
    if rule["entity_feature"] is None:
        return rule["entity"] in (None, customer)
    city = CITIES[customer]
    return city == rule["entity_value"] or (city is None and rule["does"] == "hide")


def narrowness(rule: dict[str, Any]) -> int:
    """Of two pins at one place, that of one customer counts, then that of a city."""
    return 0 if rule["entity"] else 1 if rule["entity_feature"] else 2


def expected(rules: list[dict[str, Any]], about: Subject, scores: Any, chosen: Any) -> Any:
    """Say the rules list by list: hidden, pinned, limited, filled."""
    found = []
    for row, customer in enumerate(about.entities):
        mine = [rule for rule in rules if holds(rule, customer)]
        barred = {*about.items[np.flatnonzero(chosen[row])]}
        for rule in mine:
            if rule["does"] == "hide":
                kind = about.features["kind"].astype("str")
                barred |= {rule["item"]} if rule["item"] else set(kind.index[kind == rule["value"]])
        pins: dict[int, str] = {}
        for rule in sorted(mine, key=narrowness):
            free = rule["does"] == "pin" and rule["number"] not in pins
            if free and rule["item"] not in {*barred}:
                pins[int(rule["number"])] = rule["item"]
        first: list[str] = []
        for place in [*pins]:  # the same product twice: the first pin counts
            if pins[place] in first:
                del pins[place]
            else:
                first.append(pins[place])
        order = [*about.items[np.argsort(-scores[row], kind="stable")]]
        ranked_ = [name for name in order if name not in barred and name not in pins.values()]
        kept = [pins[place] for place in sorted(pins)] + ranked_
        for rule in mine:
            kept = limited(rule, kept, about, dict(zip(about.items, scores[row], strict=False)))
        left = {place: name for place, name in pins.items() if name in kept}
        rest = iter([name for name in kept if name not in left.values()])
        places = range(1, SCHEMA.length + 1)
        full = [left[place] if place in left else next(rest, None) for place in places]
        found.append(sorted(full, key=lambda name: name is None))
    return found


def limited(rule: dict[str, Any], kept: list[str], about: Subject, scores: dict[str, float]) -> Any:
    if rule["does"] == "at_least":
        worth = about.features["price"] if rule["feature"] else pd.Series(1.0, about.items)
        low = {n for n in kept if n in scores and scores[n] * worth[n] < rule["number"]}
        return [name for name in kept if name not in low]
    if rule["does"] != "at_most":
        return kept
    seen: dict[Any, int] = {}
    left = []
    for name in kept:
        kind = about.features["kind"][name]
        if not pd.isna(kind) and rule["value"] in (None, kind):
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] > rule["number"]:
                continue
        left.append(name)
    return left


def row(name: str, does: str, **columns: Any) -> dict[str, Any]:
    return {"rule": name, "does": does, **{c: columns.get(c) for c in _COLUMNS[2:]}}


WHOM: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    st.sampled_from([*CITIES, "stranger"]).map(lambda name: {"entity": name}),
    st.sampled_from(["north", "south", "west"]).map(
        lambda city: {"entity_feature": "city", "entity_value": city}
    ),
)
ITEM = st.sampled_from([f"p{n}" for n in range(PRODUCTS)] + ["new"])
KIND = st.sampled_from("abcd")
RULES = st.lists(
    st.one_of(
        st.builds(lambda e, i: row("hidden", "hide", **e, item=i), WHOM, ITEM),
        st.builds(
            lambda e, v: row("kind", "hide", **e, feature="kind", value=v), WHOM, KIND
        ),
        st.builds(
            lambda e, i, n: row("pinned", "pin", **e, item=i, number=n),
            WHOM, ITEM, st.integers(1, 4),
        ),
        st.builds(
            lambda e, v, n: row("mixed", "at_most", **e, feature="kind", value=v, number=n),
            WHOM, st.one_of(st.none(), KIND), st.integers(0, 2),
        ),
        st.builds(
            lambda e, f, n: row("worth", "at_least", **e, feature=f, number=n),
            WHOM, st.sampled_from([None, "price"]), st.sampled_from([0.5, 2.0, 5.0, 99.0]),
        ),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(RULES, st.integers(0, 3))
def test_lists_are_those_that_rules_say(rules: list[dict[str, Any]], seed: int) -> None:
    found, about, scores, chosen = lists(book(rules), seed)
    names = [[about.items[i] if i >= 0 else None for i in line] for line in found.items]
    assert names == expected(rules, about, scores, chosen)


@settings(max_examples=60, deadline=None)
@given(RULES, st.integers(0, 3))
def test_everything_that_left_or_came_is_told_once(rules: list[dict[str, Any]], seed: int) -> None:
    found, _, _, _ = lists(book(rules), seed)
    free, _, _, _ = lists(book([]), seed)
    effects = found.effects
    assert not effects.duplicated(["row", "item"]).any()
    for customer, (before, after) in enumerate(zip(free.items, found.items, strict=True)):
        told = effects[effects["row"] == customer].groupby("effect")["item"].agg(set)
        left = {*before} - {*after} - {-1}
        assert told.get("removed", set()) | told.get("displaced", set()) == left
        put = told.get("pinned", set()) | told.get("moved", set())
        assert put == {*after[found.rules[customer] >= 0]}
        for place, item in enumerate(after):
            if item >= 0:
                expected_ = list(before).index(item) + 1 if item in before else 0
                assert found.before[customer, place] == expected_


def test_no_rule_changes_nothing() -> None:
    found, _, scores, chosen = lists(book([]), 0)
    best = np.argsort(np.where(chosen, np.inf, -scores), axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(found.items, best)
    assert found.effects.empty


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (row("r", "hides", item="p1"), "row 1: rule 'r' does none of hide, again, pin"),
        (row("r", "hide"), "needs an item or a feature, and not both"),
        (row("r", "pin", item="tea\npot", number=1), "has a line break or a record separator in"),
        (row("r", "hide", feature="kind"), "needs a value of its feature"),
        (row("r", "hide", feature="price", value="3"), "the schema's are: kind, price"),
        (row("r", "pin", item="p1", number=5), "needs a number: a place from 1 to 4"),
        (row("r", "at_most", feature="kind", number=1.5), "needs a whole number"),
        (row("r", "at_least", feature="kind", number=1), "that is no number of items"),
        (row("r", "again", number=-1), "negative number of days"),
        (row("r", "hide", entity_feature="age", entity_value="3", item="p1"), "schema's are: city"),
        (row("r", "hide", entity_feature="city", item="p1"), "needs an entity_value"),
        (row("r", "hide", entity_value="north", item="p1"), "needs an entity_value of its entity_"),
        (
            row("r", "hide", entity="c1", entity_feature="city", entity_value="north", item="p1"),
            "has an entity and an entity_feature",
        ),
    ],
)
def test_what_is_no_rule_is_refused_in_words(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match="rule 'r'") as caught:
        book([wrong])
    assert said in str(caught.value)


def test_a_table_of_rules_has_its_columns_and_no_other() -> None:
    with pytest.raises(DataError, match="unknown column 'prodct'; rules have the columns segment"):
        read_rules(pd.DataFrame({"rule": ["r"], "does": ["hide"], "prodct": ["p"]}), "rules.csv")
    with pytest.raises(DataError, match="no column 'does'"):
        read_rules(pd.DataFrame({"rule": ["r"]}), "rules.csv")
    with pytest.raises(DataError, match=r"'number': values that are no finite numbers \(1\)"):
        read_rules(pd.DataFrame({"rule": ["r"], "does": ["pin"], "number": ["one"]}), "rules.csv")


def test_a_segment_has_its_rules_and_those_for_all() -> None:
    table = pd.DataFrame(
        {"segment": ["a", "b", None], "rule": ["x", "y", "z"], "does": "hide", "item": "p1"}
    )
    rules = read_rules(table, "rules.csv")
    assert list(rules.of("a").table["rule"]) == ["x", "z"]
    assert list(rules.of("c").table["rule"]) == ["z"]
