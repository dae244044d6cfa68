"""Sketches: what is counted, and that parts add up to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loopcast.api import DataError, IntegrityError
from loopcast.monitor.bins import EDGES, MISSING, OTHER, bins_bytes, fit_bins, read_bins
from loopcast.monitor.sketch import Sketch, empty, sketch

ROWS = 4_000


@pytest.fixture
def columns() -> dict[str, Any]:
    noise = np.random.default_rng(0)
    return {
        "age": np.where(noise.random(ROWS) < 0.1, np.nan, noise.normal(40.0, 10.0, ROWS)),
        "town": pd.Categorical(noise.choice(["a", "b", "c"], ROWS)),
        "loans": noise.poisson(2.0, ROWS),
    }


def same(one: Sketch, two: Sketch) -> bool:
    pairs = ((one.counts, two.counts), (one.squares, two.squares), (one.moments, two.moments))
    return all(np.allclose(first, second, rtol=1e-12) for first, second in pairs)


def part(columns: dict[str, Any], rows: slice) -> dict[str, Any]:
    return {name: values[rows] for name, values in columns.items()}


class TestBins:
    def test_hold_equal_shares_of_the_reference(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        assert bins.names == ("age", "loans", "town")
        counts = sketch(columns, bins).counts[0, 0]
        assert counts[0] == counts[EDGES] == 0, "nothing of the reference is outside of it"
        known = int(np.isfinite(columns["age"]).sum())
        assert counts[1:EDGES] == pytest.approx(known / 60, abs=1.0)
        assert counts[MISSING] == ROWS - known

    def test_few_values_have_a_bin_each_and_one_between(self, columns: dict[str, Any]) -> None:
        counts = sketch(columns, fit_bins(columns)).counts[0, 1]
        expected = np.bincount(columns["loans"])
        assert counts[1 : 2 * len(expected) : 2].tolist() == expected.tolist()
        assert counts.sum() == ROWS

    def test_come_back_from_arrays(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        again = read_bins(bins_bytes(bins))
        assert again.digest == bins.digest
        assert again.categories == bins.categories
        arrays = bins_bytes(bins)
        del arrays["edges"]
        with pytest.raises(IntegrityError, match="no array 'edges'"):
            read_bins(arrays)

    def test_many_categories_share_the_last_bin(self) -> None:
        names = [f"c{i:03d}" for i in range(200)]
        bins = fit_bins({"x": names + names[:50]})
        assert len(bins.categories[0]) == 61
        assert set(names[:50]) <= set(bins.categories[0])
        assert sketch({"x": names}, bins).counts[0, 0, OTHER] == 139

    def test_an_input_that_is_always_missing(self) -> None:
        bins = fit_bins({"x": np.full(5, np.nan)})
        assert sketch({"x": np.full(3, np.nan)}, bins).counts[0, 0, MISSING] == 3


class TestSketch:
    def test_parts_add_up_to_the_whole(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        whole = sketch(columns, bins)
        days = [sketch(part(columns, slice(i, i + 500)), bins) for i in range(0, ROWS, 500)]
        assert same(sum(days, empty(len(bins.names), bins.numeric)), whole)

    def test_groups_are_sketches_of_their_rows(self, columns: dict[str, Any]) -> None:
        bins, group = fit_bins(columns), np.arange(ROWS) % 3
        found = sketch(columns, bins, group=group, groups=4)
        assert same(found.pooled(), sketch(columns, bins))
        for number in range(3):
            alone = sketch(part(columns, slice(number, None, 3)), bins)
            assert same(found.take([number]), alone)
        assert same(found.take([3]), empty(len(bins.names), bins.numeric))

    def test_the_fast_way_counts_the_same(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        one = np.zeros(ROWS, np.intp)
        assert same(sketch(columns, bins), sketch(columns, bins, group=one))

    def test_columns_of_arrow(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
        rows = dict(zip(table.column_names, table.columns, strict=True))
        assert same(sketch(rows, bins), sketch(columns, bins))

    def test_unknown_categories_are_counted_together(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        strange = {**part(columns, slice(0, 4)), "town": ["a", "x", "y", None]}
        counts = sketch(strange, bins).counts[0, 2]
        assert (counts[0], counts[OTHER], counts[MISSING]) == (1, 2, 1)

    def test_refuses_other_inputs(self, columns: dict[str, Any]) -> None:
        bins = fit_bins(columns)
        with pytest.raises(DataError, match="input 'town' of the reference is not in the data"):
            sketch({"age": [1.0], "loans": [1.0]}, bins)
        with pytest.raises(DataError, match="input 'age' was numeric in the reference"):
            sketch({**part(columns, slice(0, 1)), "age": ["old"]}, bins)

    @example([-1.7976931348623157e308, 0.0])
    @example([1.3407807929942597e154])
    @given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=80))
    def test_every_row_is_counted_once(self, values: list[float]) -> None:
        bins = fit_bins({"x": np.array(values[: len(values) // 2], dtype=float)})
        numbers = np.array(values, dtype=float)
        fast = sketch({"x": numbers}, bins)
        slow = sketch({"x": numbers}, bins, group=np.zeros(len(values), np.intp))
        assert fast.counts.sum() == len(values)
        assert (fast.counts == slow.counts).all()
