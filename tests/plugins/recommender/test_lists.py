from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from loopcast.api import RankQuery, last_places
from loopcast_recommender import lists
from loopcast_recommender.ease.method import EASE, Ridge
from loopcast_recommender.history.model import Tuning, make_model
from loopcast_recommender.interactions import choices

from .samples import query, tastes

SCORES = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(-3, 3).map(float) | st.just(-np.inf),
)


@given(scores=SCORES, length=st.integers(0, 15), short=st.sampled_from([0, 256]))
def test_the_best_are_the_first_of_a_full_sort(scores: Any, length: int, short: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_SHORT", short)
        places, values = lists.best(scores, length)
    expected = -np.sort(-scores, axis=1)[:, :length]
    assert np.array_equal(values, expected)
    assert np.array_equal(np.take_along_axis(scores, places, axis=1), expected)
    first = np.argsort(-scores, axis=1, kind="stable")[:, :length]
    assert np.array_equal(places, first)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_hidden_has_the_lowest_score_in_whatever_order_of_memory(order: Any) -> None:
    scores = np.arange(6, dtype=np.float32).reshape(2, 3).copy(order)
    found = lists.without(scores, np.array([1, 5]))
    assert found.tolist() == [[0.0, -np.inf, 2.0], [3.0, 4.0, -np.inf]]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tastes(seed=1)
    scores = np.random.default_rng(2).normal(size=(121, len(data.items))).astype(np.float32)
    hidden = sparse.csr_array(np.random.default_rng(3).random(scores.shape) < 0.5)
    asked = query(data, excluded=hidden, allowed=np.arange(len(data.items)) % 3 > 0)
    whole = lists.rank(asked, lambda part: scores[part.entities])
    monkeypatch.setattr(lists, "_CELLS", 7 * len(data.items))
    blocks = lists.rank(asked, lambda part: scores[part.entities])
    assert np.array_equal(whole.items, blocks.items)
    shown = np.take_along_axis(hidden.toarray(), np.maximum(whole.items, 0), axis=1)
    assert not shown[whole.items >= 0].any()
    assert (whole.items % 3 != 0).all()


@pytest.mark.parametrize("known", [False, True])
def test_blocks_change_no_list_of_a_model(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tastes(seed=1)
    shape = (121, len(data.items))
    model = make_model(choices(data), Tuning(option=Ridge(ridge=20.0), half_life=10.0), EASE)
    history = last_places((data.entity + 1) % 121, data.item, shape) if known else None
    asked = query(data, excluded=last_places(data.entity, data.item, shape), history=history)
    whole = model.predict(asked)
    monkeypatch.setattr(lists, "_CELLS", 7 * len(data.items))
    blocks = model.predict(asked)
    assert np.array_equal(whole.items, blocks.items)
    assert np.array_equal(whole.scores, blocks.scores)


def test_a_list_that_cannot_be_filled_says_so() -> None:
    data = tastes(seed=1)
    nothing = np.zeros((121, len(data.items)), np.float32)
    asked = query(data, allowed=np.arange(len(data.items)) == 4)
    found = lists.rank(asked, lambda part: nothing[part.entities])
    assert (found.items[:, 0] == 4).all()
    assert (found.items[:, 1:] == -1).all()
    assert np.isnan(found.scores[:, 1:]).all()


@given(
    scores=arrays(np.float32, 9, elements=st.integers(-3, 3).map(float)),
    hidden=arrays(np.float32, (6, 9), elements=st.sampled_from([0.0, 1.0])),
    closed=st.sets(st.integers(0, 8)),
    length=st.integers(1, 12),
)
def test_scores_of_all_alike_give_the_lists_of_a_table_of_them(
    scores: Any, hidden: Any, closed: set[int], length: int
) -> None:
    who, allowed = np.arange(6, dtype=np.int32), ~np.isin(np.arange(9), list(closed))
    for excluded in (None, sparse.csr_array(hidden)):
        asked = RankQuery(entities=who, length=length, allowed=allowed, excluded=excluded)
        whole = lists.rank(asked, lambda part: np.tile(scores, (len(part.entities), 1)))
        alike = lists.rank_alike(asked, scores)
        assert np.array_equal(alike.items, whole.items)
        assert np.array_equal(alike.scores, whole.scores, equal_nan=True)
