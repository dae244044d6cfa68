from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from loopcast_recommender.neighbours.method import Nearest, similarities


def chosen(seed: int) -> sparse.csr_array:
    drawn = np.random.default_rng(seed).random((40, 15)) < 0.3
    return sparse.csr_array(drawn.astype(np.float32))


def test_similarities_are_the_cosines_of_scikit_learn() -> None:
    x = chosen(seed=1)
    expected = cosine_similarity(x.T.tocsr())
    np.fill_diagonal(expected, 0.0)
    found = similarities(x, Nearest(neighbours=15, shrinkage=0.0))
    assert found.matrix.toarray() == pytest.approx(expected, abs=1e-6)


def test_only_the_nearest_speak_for_an_item() -> None:
    x = chosen(seed=2)
    everything = similarities(x, Nearest(neighbours=15, shrinkage=5.0)).matrix.toarray()
    found = similarities(x, Nearest(neighbours=3, shrinkage=5.0)).matrix.toarray()
    assert (np.count_nonzero(found, axis=0) == 3).all()
    assert found.sum(axis=0) == pytest.approx(np.sort(everything, axis=0)[-3:].sum(axis=0))


def test_few_common_entities_shrink_more() -> None:
    x = sparse.csr_array(np.array([[1, 1, 0, 0]] + [[0, 0, 1, 1]] * 9, dtype=np.float32))
    found = similarities(x, Nearest(neighbours=3, shrinkage=9.0)).matrix.toarray()
    assert (found[0, 1], found[2, 3]) == pytest.approx((0.1, 0.5))
