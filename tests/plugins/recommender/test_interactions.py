from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from loopcast.api import RankQuery
from loopcast_recommender.interactions import block_of, histories


def drawn(seed: int) -> sparse.csr_array:
    values = np.random.default_rng(seed).integers(-2, 3, size=(9, 5)).astype(np.float32)
    return sparse.csr_array(values)


@given(seed=st.integers(0, 99), first=st.integers(0, 9), count=st.integers(0, 9))
def test_a_block_is_a_slice(seed: int, first: int, count: int) -> None:
    matrix, rows = drawn(seed), slice(first, min(first + count, 9))
    found = block_of(matrix, rows)
    assert np.array_equal(found.toarray(), matrix.toarray()[rows])


@given(seed=st.integers(0, 99), zeros=st.booleans())
def test_a_history_that_is_asked_with_stays_as_it_is(seed: int, zeros: bool) -> None:
    history = drawn(seed)
    history.data[:2] = 0.0 if zeros else history.data[:2]
    stored, values = history.nnz, history.toarray()
    query = RankQuery(
        entities=np.full(9, -1, np.int32), length=3, allowed=np.ones(5, bool), history=history
    )
    found = histories(query, drawn(seed + 1))
    assert np.array_equal(found.toarray(), values)
    assert (found.data != 0).all()
    assert history.nnz == stored
