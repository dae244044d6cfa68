from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from loopcast.api import Ranking, RankOutcome, last_places
from loopcast.api.rank import by_cell, matrix_rows, stable_order

CHOICES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


@given(CHOICES)
def test_places_are_counted_from_the_last_choice_of_each_entity(
    choices: list[tuple[int, int]],
) -> None:
    expected = np.zeros((5, 7), dtype=np.float32)
    for entity in range(5):
        own = [item for who, item in choices if who == entity]
        for place, item in enumerate(reversed(own), start=1):
            expected[entity, item] = expected[entity, item] or place
    who, what = np.array(choices, dtype=np.int32).reshape(-1, 2).T
    found = last_places(who, what, (5, 7))
    assert np.array_equal(found.toarray(), expected)
    assert found.has_canonical_format


@given(CHOICES, st.integers(0, 2**32 - 1))
def test_hits_are_the_listed_items_that_were_chosen(
    choices: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    lists = np.stack([rng.permutation(7)[:4] for _ in range(5)]).astype(np.int32)
    lists[rng.random(lists.shape) < 0.2] = -1
    entity, item = np.array(choices, dtype=np.int32).reshape(-1, 2).T
    outcome = RankOutcome(
        ranking=Ranking(items=lists, scores=np.zeros(lists.shape, np.float32)),
        chosen_entity=entity,
        chosen_item=item,
        popularity=np.full(7, 1 / 7),
    )
    hits, count = outcome.hits
    pairs = set(choices)
    assert hits.tolist() == [[(row, i) in pairs for i in own] for row, own in enumerate(lists)]
    sizes = [len({i for who, i in pairs if who == row}) for row in range(5)]
    assert np.array_equal(count, [size or np.nan for size in sizes], equal_nan=True)


@given(seed=st.integers(0, 99), rows=st.lists(st.integers(-1, 8), max_size=12))
def test_rows_are_taken_in_any_order_and_unknown_ones_are_empty(seed: int, rows: list[int]) -> None:
    values = np.random.default_rng(seed).integers(-2, 3, size=(9, 5)).astype(np.float32)
    found = matrix_rows(sparse.csr_array(values), np.array(rows, dtype=np.int32))
    known = np.append(values, np.zeros((1, 5), np.float32), axis=0)
    assert np.array_equal(found.toarray(), known[rows])
    assert found.indices.dtype == found.indptr.dtype == np.int32


def test_all_rows_in_order_are_the_matrix_itself() -> None:
    values = sparse.csr_array(np.eye(3, dtype=np.float32))
    assert matrix_rows(values, np.arange(3, dtype=np.int32)) is values
    assert matrix_rows(values, np.arange(2)).shape == (2, 3)


@pytest.mark.parametrize("top", [40, 2**28 - 1, 2**28, 2**40])
def test_numbers_that_need_more_than_32_bits_have_the_same_order(top: int) -> None:
    codes = np.array([top, 3, top, 0, top - 1])  # 3 bits count them
    assert stable_order(codes).tolist() == [3, 1, 4, 0, 2]
    cell, place = by_cell(codes, np.array([5, 1, 4, 2, 3]))
    assert cell.tolist() == [0, 3, top - 1, top, top]
    assert place.tolist() == [2, 1, 3, 4, 5]
