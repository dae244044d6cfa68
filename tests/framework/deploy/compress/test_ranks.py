"""Large products of weights at lower ranks: the best of each, and only where it is worth it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import DeviceBudget
from loopcast.api import graph as g
from loopcast.deploy.compress.ranks import of_lower_rank
from loopcast.deploy.compress.search import search
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.export.tflite.write import write_tflite

Floats = NDArray[np.float64]
ITEMS, ENTITIES, TASTES = 400, 300, 20
BIAS = np.linspace(0.0, 1.0, ITEMS)


def tastes() -> tuple[Floats, Floats]:
    """Weights of items by entities and back, which are nearly of twenty tastes."""
    random = np.random.default_rng(0)
    first = random.normal(0, 1, (ENTITIES, TASTES)) @ random.normal(0, 1, (TASTES, ITEMS))
    return first + random.normal(0, 0.01, first.shape), random.normal(0, 0.1, (ITEMS, ENTITIES))


def graph(scores: g.Block) -> g.Graph:
    names = tuple(map(str, range(ITEMS)))
    return g.Graph(features=names, output=scores, outputs=names)


def by_entities() -> g.Linear:
    first, second = tastes()
    shared = g.Linear(g.Features(), first, np.zeros(ENTITIES))
    return g.Linear(shared, second, BIAS)


def by_items() -> g.Linear:
    first, second = tastes()
    return g.Linear(g.Features(), second @ first, BIAS)


def answer(made: g.Graph, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return next(sessions(write_tflite(made).content)).run(x)[0]


@pytest.mark.parametrize("scores", [by_entities(), by_items()], ids=["entities", "items"])
def test_each_rank_is_the_best_that_there_is(scores: g.Linear) -> None:
    """By the singular values that NumPy finds of the whole product."""
    first, second = tastes()
    values = np.linalg.svd(second @ first, compute_uv=False)
    ranked = of_lower_rank(graph(scores))
    assert list(ranked)[-2:] == [64, 32]
    x = np.eye(ITEMS, dtype=np.float32)
    for rank, lower in ranked.items():
        apart = answer(lower, x).astype(np.float64) - (x @ (second @ first).T + BIAS)
        assert np.linalg.norm(apart) == pytest.approx(np.linalg.norm(values[rank:]), rel=0.02)
        assert len(write_tflite(lower).content) < 0.7 * len(write_tflite(graph(scores)).content)


def test_what_is_beside_a_product_stays() -> None:
    scores = by_entities()
    beside = g.Product(g.Constant((0.5,) * ITEMS), g.Features())
    whole = graph(g.Joined((g.Sum((scores, beside)), scores)))
    lower = of_lower_rank(whole)[32].output
    assert isinstance(lower, g.Joined)
    total, again = lower.parts
    assert isinstance(total, g.Sum)
    assert total.parts[0] is again, "what was shared still is"
    assert total.parts[1] is beside


def test_small_exact_and_narrow_weights_stay() -> None:
    first, second = tastes()
    few = g.Linear(g.Features(), first[:40], np.zeros(40))
    exact = g.Linear(g.Features(), second @ first, BIAS, exact=True)
    for scores in (few, exact, g.Linear(g.Columns(few, tuple(range(40))), second[:, :40], BIAS)):
        assert of_lower_rank(graph(scores)) == {}


def test_a_budget_is_met_by_a_lower_rank_where_bits_do_not_suffice() -> None:
    scores = by_entities()
    x = (np.random.default_rng(3).random((20, ITEMS)) < 0.05).astype(np.float32)
    whole = graph(scores)
    vectors = Vectors(features=x, expected=answer(whole, x).astype(np.float64))
    found = search(whole, vectors, DeviceBudget(error=0.05, bytes=60_000))
    assert found.chosen.choice.rank == 32
    assert found.chosen.error <= 0.05
    assert min(one.size for one in found.candidates if one.choice.rank is None) > 200_000
