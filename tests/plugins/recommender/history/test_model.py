"""What looking at items adds to a list is what having chosen them would have added."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from loopcast.api import SessionRanker
from loopcast_recommender.ease.method import EASE, Ridge
from loopcast_recommender.history.method import Method
from loopcast_recommender.history.model import HistoryModel, Tuning, make_model
from loopcast_recommender.interactions import choices
from loopcast_recommender.neighbours.method import NEIGHBOURS, Nearest

from ..samples import tastes

METHODS: list[tuple[Method[Any], Any]] = [
    (EASE, Ridge(ridge=20.0)),
    (NEIGHBOURS, Nearest(neighbours=20, shrinkage=5.0)),
]


def model_of(method: Method[Any], option: Any, items: int = 60) -> HistoryModel:
    data = tastes(1, items=items)
    return make_model(choices(data), Tuning(option=option, half_life=None), method)


@pytest.mark.parametrize(("method", "option"), METHODS)
@pytest.mark.parametrize("items", [60, 200])
def test_scores_add_up_over_choices(method: Method[Any], option: Any, items: int) -> None:
    model = model_of(method, option, items)
    assert isinstance(model, SessionRanker)
    assert model.scorer is not None
    before = np.zeros((1, len(model.share)), dtype=np.float32)
    before[0, [3, 7]] = 1.0
    after = before.copy()
    after[0, [11, 20]] = 1.0
    old, new = (model.scorer.score(sparse.csr_array(row)) for row in (before, after))
    viewed = np.array([20, 11, 20], dtype=np.int32)
    np.testing.assert_allclose(new - old, model.session_scores(viewed)[None], atol=1e-5)


def test_nothing_is_added_where_popularity_ranks_or_nothing_is_viewed() -> None:
    nothing = np.empty(0, dtype=np.int32)
    assert not model_of(*METHODS[0]).session_scores(nothing).any()
    assert not model_of(EASE, None).session_scores(np.array([1], dtype=np.int32)).any()
