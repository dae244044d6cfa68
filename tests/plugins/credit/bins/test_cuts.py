from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loopcast_credit.bins.cuts import quantile_cuts, round_between

numbers = st.floats(-1e9, 1e9, allow_subnormal=False)


@given(st.lists(st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1])))
def test_round_numbers_lie_between(pairs: list[tuple[float, float]]) -> None:
    below, above = np.sort(np.array(pairs).reshape(-1, 2)).T
    found = round_between(below, above)
    assert (below < found).all()
    assert (found <= above).all()
    digits = [len(f"{number:.15g}".strip("-0.").replace(".", "")) for number in found]
    wide = above - below > 1e-6
    assert all(count <= 16 for count in np.array(digits)[wide])


def test_a_round_number_of_an_unbounded_gap_is_its_end() -> None:
    below, above = np.array([-math.inf, 1.0]), np.array([3.0, math.inf])
    assert round_between(below, above).tolist() == [3.0, math.inf]


@given(
    st.lists(st.floats(-100, 100).map(lambda x: round(x, 1)), min_size=1, max_size=200),
    st.integers(2, 20),
    st.sampled_from([0.0, 0.02, 0.1]),
)
def test_bins_hold_what_they_should(values: list[float], bins: int, minimum: float) -> None:
    cuts = quantile_cuts(np.array(values), bins, minimum)
    assert list(cuts) == sorted(set(cuts))
    assert len(cuts) < bins
    counts = np.bincount(np.searchsorted(cuts, values, side="right"), minlength=len(cuts) + 1)
    assert counts.sum() == len(values)
    assert counts.min() >= max(minimum * len(values), 1) or not cuts


def test_a_frequent_value_stands_alone() -> None:
    values = np.concatenate([np.zeros(500), np.linspace(1.0, 100.0, 500), np.linspace(-9, -1, 100)])
    cuts = quantile_cuts(values, bins=8, minimum=0.02)
    alone = np.searchsorted(cuts, values, side="right") == np.searchsorted(cuts, 0.0, side="right")
    assert np.unique(values[alone]).tolist() == [0.0]


def test_one_value_and_no_value_have_no_cut() -> None:
    assert quantile_cuts(np.full(50, 3.0), 10, 0.0) == ()
    assert quantile_cuts(np.empty(0), 10, 0.0) == ()
