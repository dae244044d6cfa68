"""Odd queries: whom and what a ranker may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Ranking, RankQuery
from loopcast.validate.oddities.made import Oddity

if TYPE_CHECKING:
    from numpy.typing import NDArray


def odd_queries(query: RankQuery, answer: Ranking, seed: int) -> Iterator[Oddity]:
    """Yield odd variants of a ranker's scenario."""
    count, items = len(query.entities), len(query.allowed)
    unseen = replace(query, entities=np.full(count, -1, np.int32))
    yield Oddity(kind="unseen", name="entities never seen", inputs=unseen)
    if query.history is not None:
        inputs = replace(query, history=query.history * 0.0)
        yield Oddity(kind="missing", name="missing history", inputs=inputs)
    if query.entity_features is not None:
        inputs = replace(query, entity_features=query.entity_features.mask(_everywhere))
        yield Oddity(kind="missing", name="missing features", inputs=inputs)
    extremes = {
        "nothing allowed": replace(query, allowed=np.zeros(items, bool)),
        "one item allowed": replace(query, allowed=np.arange(items) == 0),
        "longer than there are items": replace(query, length=items + 5),
        "everything excluded": replace(query, excluded=_all(count, items)),
    }
    for name, inputs in extremes.items():
        yield Oddity(kind="extreme", name=name, inputs=inputs)
    order = np.random.default_rng(seed).permutation(count)
    for kind, name, rows in (
        ("shuffled", "entities in another order", order),
        ("constant", "one entity many times", np.zeros(count, np.intp)),
        ("single", "one entity alone", np.arange(1)),
        ("single", "no entity", np.arange(0)),
    ):
        expected = Ranking(items=answer.items[rows], scores=answer.scores[rows])
        yield Oddity(kind=kind, name=name, inputs=_of_rows(query, rows), expected=expected)


def _of_rows(query: RankQuery, rows: NDArray[np.intp]) -> RankQuery:
    def taken(matrix: Any) -> Any:
        return None if matrix is None else matrix[rows]

    features = query.entity_features
    return replace(
        query,
        entities=query.entities[rows],
        excluded=taken(query.excluded),
        history=taken(query.history),
        entity_features=None if features is None else features.iloc[rows],
    )


def _everywhere(frame: Any) -> Any:
    return frame.notna()


def _all(count: int, items: int) -> Any:
    from scipy import sparse

    return sparse.csr_array(np.ones((count, items), np.int8))
