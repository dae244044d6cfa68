from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from loopcast_recommender.interactions import block_of


def drawn(seed: int) -> sparse.csr_array:
    values = np.random.default_rng(seed).integers(-2, 3, size=(9, 5)).astype(np.float32)
    return sparse.csr_array(values)


@given(seed=st.integers(0, 99), first=st.integers(0, 9), count=st.integers(0, 9))
def test_a_block_is_a_slice(seed: int, first: int, count: int) -> None:
    matrix, rows = drawn(seed), slice(first, min(first + count, 9))
    found = block_of(matrix, rows)
    assert np.array_equal(found.toarray(), matrix.toarray()[rows])
