from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics import ndcg_score

from loopcast.api import last_places
from loopcast_recommender.history.inner import (
    Inner,
    Validation,
    clearly_better,
    held_out,
    hold_out,
    validation,
)
from loopcast_recommender.interactions import choices

from ..samples import SCHEMA, rank_data, tastes


def asked(inner: Validation) -> list[tuple[int, int]]:
    """Entities and what they chose."""
    return [
        (int(block.entities[row]), int(item))
        for block in inner.blocks
        for row, item in zip(block.row, block.item, strict=True)
    ]


def quality_of(inner: Validation, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Judge scores of all entities by all items."""
    blocks = iter(inner.blocks)
    return inner.quality(inner.histories(None), lambda _: scores[next(blocks).entities])


def test_the_quality_is_the_gain_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores, chosen = rng.normal(size=(50, 30)).astype(np.float32), rng.random((50, 30)) < 0.2
    known = (rng.random((50, 30)) < 0.3) & ~chosen
    chosen[:, 0], known[:, 0], chosen[7] = True, False, False
    known_matrix = sparse.csr_array(known.astype(np.float32))
    inner = validation(known_matrix, *chosen.nonzero(), length=10, repeat=False)
    asked = np.flatnonzero(chosen.any(axis=1))
    found = quality_of(inner, scores)
    shown = np.where(known, -99.0, scores)[asked]
    expected = [
        ndcg_score(relevant[None], score[None], k=10)
        for relevant, score in zip(chosen[asked], shown, strict=True)
    ]
    assert found == pytest.approx(expected)
    monkeypatch.setattr("loopcast_recommender.history.inner._CELLS", 90)
    inner = validation(known_matrix, *chosen.nonzero(), length=10, repeat=False)
    assert len(inner.blocks) > 10
    assert quality_of(inner, scores).tolist() == found.tolist()


def test_equal_scores_are_neither_luck_nor_bad_luck() -> None:
    nothing = sparse.csr_array(np.zeros((1, 5), np.float32))
    inner = validation(nothing, np.array([0]), np.array([2]), length=5, repeat=True)
    found = quality_of(inner, np.zeros((1, 5), np.float32))
    assert found == pytest.approx([1.0 / np.log2(4.0)])  # as the third of five


@given(
    scores=arrays(np.float32, (6, 9), elements=st.integers(-2, 2).map(float)),
    length=st.integers(1, 12),
)
def test_only_the_scores_at_the_head_need_to_be_compared(scores: Any, length: int) -> None:
    chosen = np.arange(54).reshape(6, 9) % 4 == 1
    nothing = sparse.csr_array(np.zeros((6, 9), np.float32))
    inner = validation(nothing, *chosen.nonzero(), length=length, repeat=True)
    higher = (scores[:, None] > scores[:, :, None]).sum(axis=2)
    place = higher + ((scores[:, None] == scores[:, :, None]).sum(axis=2) - 1) / 2
    gain = np.where(chosen & (place < length), 1 / np.log2(place + 2), 0).sum(axis=1)
    best = [sum(1 / np.log2(i + 2) for i in range(min(n, length))) for n in chosen.sum(axis=1)]
    assert inner.blocks[0].gains(scores.copy(), length) == pytest.approx(gain / best)


def test_the_last_choices_are_held_out_and_at_most_a_third() -> None:
    data = rank_data(np.array([1, 1, 1, 1, 1, 1, 1, 2, 2, 3]), np.array([*range(7), 0, 1, 0]))
    inner = hold_out(data, "last", 5, seed=0)
    assert inner is None  # what was held out, items 5 and 6, nobody else chose
    data = rank_data(np.array([2, 2, 3, 4, 1, 1, 1, 1, 1, 1]), np.array([4, 5, 0, 5, *range(6)]))
    inner = hold_out(data, "last", 5, seed=0)
    assert inner is not None
    assert asked(inner) == [(0, 4), (0, 5)]
    assert inner.training.toarray()[0].tolist() == [4, 3, 2, 1, 0, 0]


PAIR = st.tuples(st.integers(0, 4), st.integers(0, 5))


@given(
    pairs=st.lists(PAIR, min_size=1, max_size=40)
    | st.lists(PAIR, min_size=1, max_size=30, unique=True),
    repeat=st.booleans(),
    how=st.sampled_from(["last", "random"]),
)
def test_what_is_asked_could_be_foreseen(
    pairs: list[tuple[int, int]], repeat: bool, how: Inner
) -> None:
    who, what = np.array(pairs).T
    data = rank_data(who, what, msgspec.structs.replace(SCHEMA, repeat=repeat))
    held = held_out(data.entity, how, 5, seed=0)
    kept = set(zip(data.entity[~held].tolist(), data.item[~held].tolist(), strict=True))
    others = set(zip(data.entity[held].tolist(), data.item[held].tolist(), strict=True))
    known = {item for _, item in kept}
    expected = sorted(
        (entity, item)
        for entity, item in others
        if item in known and (repeat or (entity, item) not in kept)
    )
    inner = hold_out(data, how, 5, seed=0)
    assert (asked(inner) if inner else []) == expected
    if inner:
        shape = (len(data.entities), len(data.items))
        rest = last_places(data.entity[~held], data.item[~held], shape)
        assert np.array_equal(inner.training.toarray(), rest.toarray())


def test_random_choices_are_drawn_by_the_seed() -> None:
    data = tastes(seed=1)
    first, again, other = (hold_out(data, "random", 3, seed) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert asked(first) == asked(again)
    assert asked(first) != asked(other)
    assert not set(asked(first)) & set(zip(*first.training.nonzero(), strict=True))


def test_what_may_be_chosen_again_is_asked_again() -> None:
    who, what = np.array([1] * 6 + [2] * 6), np.array([0, 1, 0, 1, 0, 1] * 2)
    assert hold_out(rank_data(who, what), "last", 2, seed=0) is None
    repeat = msgspec.structs.replace(SCHEMA, repeat=True)
    inner = hold_out(rank_data(who, what, repeat), "last", 2, seed=0)
    assert inner is not None
    assert asked(inner) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert quality_of(inner, -choices(rank_data(who, what)).toarray()).tolist() == [1, 1]


def test_a_lead_that_chance_could_give_is_none() -> None:
    drawn = np.random.default_rng(1).normal(size=(2, 400))
    assert not clearly_better(drawn[0], drawn[0])
    assert clearly_better(drawn[0] + 0.5, drawn[1])
    assert not clearly_better(drawn[0][:1] + 9.0, drawn[1][:1])
