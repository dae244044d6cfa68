"""Intervals of shares, against statsmodels and by how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from loopcast.develop.fairness.intervals import (
    Interval,
    difference,
    ratio,
    share_of_rows,
    wilson,
)


def share(count: int, rows: int) -> Interval:
    return share_of_rows(np.arange(rows) < count, np.ones(rows), 0.95)


@given(rows=st.integers(1, 400), data=st.data())
def test_a_share_has_wilsons_interval(rows: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, rows))
    low, high = proportion_confint(count, rows, alpha=0.05, method="wilson")
    found = share(count, rows)
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-12)
    assert found.low <= found.value <= found.high


@given(counts=st.tuples(st.integers(0, 60), st.integers(0, 200)))
def test_a_difference_has_newcombes_interval(counts: tuple[int, int]) -> None:
    low, high = confint_proportions_2indep(
        counts[0], 60, counts[1], 200, compare="diff", method="newcomb", alpha=0.05
    )
    found = difference(share(counts[0], 60), share(counts[1], 200))
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.7), (0.1, 0.12), (0.85, 0.9)])
@pytest.mark.parametrize("rows", [40, 300])
def test_a_ratio_lies_in_its_interval_as_often_as_is_said(
    first: float, second: float, rows: int
) -> None:
    rng = np.random.default_rng(1)
    draws = np.column_stack([rng.binomial(rows, p, 2000) for p in (first, second)])
    held = [
        low <= first / second <= high
        for one, two in draws
        if two
        for found in [ratio(share(int(one), rows), share(int(two), rows))]
        for low, high in [(found.low, found.high)]
    ]
    assert 0.93 <= np.mean(held) <= 0.985


def test_edges_are_defined_or_said_not_to_be() -> None:
    assert np.isnan(ratio(share(3, 10), share(0, 10)).value)
    none = ratio(share(0, 10), share(5, 10))
    assert none.value == none.low == 0.0
    assert 0.0 < none.high < 1.0
    empty = share_of_rows(np.zeros(0, bool), np.zeros(0), 0.95)
    assert np.isnan(empty.value)
    assert empty.effective == 0.0


def test_rows_of_unequal_weight_tell_less() -> None:
    chosen = np.arange(100) < 30
    even = share_of_rows(chosen, np.full(100, 7.0), 0.95)
    assert (even.low, even.high) == pytest.approx(wilson(0.3, 100, 0.95))
    weight = np.where(np.arange(100) % 10 == 0, 20.0, 1.0)
    uneven = share_of_rows(chosen, weight, 0.95)
    assert uneven.effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert uneven.high - uneven.low > even.high - even.low
