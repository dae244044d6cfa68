from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import Files, ModelError, Ranking, RankQuery, RankSchema
from loopcast.develop.rank import query as module
from loopcast.develop.rank.query import pairs_matrix, ranked

SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=4)
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


class Said:
    """A ranker that has its lists already."""

    def __init__(self, items: np.ndarray) -> None:
        self.items = items.astype(np.int32)

    def predict(self, query: RankQuery) -> Ranking:
        return Ranking(items=self.items, scores=np.zeros(self.items.shape, np.float32))

    def save(self) -> Files:
        return {}


@given(PAIRS)
def test_a_matrix_is_one_at_its_pairs(pairs: list[tuple[int, int]]) -> None:
    rows, columns = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    found = pairs_matrix(rows, columns, (5, 7))
    expected = np.zeros((5, 7), dtype=np.float32)
    expected[rows, columns] = 1.0
    assert np.array_equal(found.toarray(), expected)
    assert found.has_canonical_format
    assert found.indices.dtype == found.indptr.dtype == np.int32


@pytest.mark.parametrize("cells", [1, 20, 4_000_000])
@given(PAIRS, st.integers(0, 2**32 - 1))
def test_an_excluded_item_is_refused_in_whatever_block_its_row_is(
    cells: int, pairs: list[tuple[int, int]], seed: int
) -> None:
    lists = np.stack([np.random.default_rng([seed, r]).permutation(7)[:4] for r in range(5)])
    rows, columns = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    query = RankQuery(
        entities=np.arange(5, dtype=np.int32),
        length=4,
        allowed=np.ones(7, dtype=bool),
        excluded=pairs_matrix(rows, columns, (5, 7)),
    )
    bad = sum(item in lists[row] for row, item in set(pairs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CELLS", cells)
        if not bad:
            assert np.array_equal(ranked(Said(lists), query, SCHEMA, "acme.said").items, lists)
        else:
            with pytest.raises(ModelError, match=f"{bad} places of its lists hold items that are"):
                ranked(Said(lists), query, SCHEMA, "acme.said")


def test_empty_places_are_no_item_twice() -> None:
    query = RankQuery(
        entities=np.array([3], dtype=np.int32), length=4, allowed=np.ones(7, dtype=bool)
    )
    found = ranked(Said(np.array([[5, -1, 2, -1]])), query, SCHEMA, "acme.said")
    assert found.items.tolist() == [[5, -1, 2, -1]]
    with pytest.raises(ModelError, match="2 places of its lists hold an item twice"):
        ranked(Said(np.array([[5, 5, -1, 5]])), query, SCHEMA, "acme.said")
