"""Rows of many versions are counted together as each version counts its own alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.monitor.bins import fit_bins
from loopcast.monitor.sketch import LOWEST, sketch
from loopcast.monitor.stack import Chosen, sketch_stacked, stack_bins

VALUES = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(VALUES, st.sampled_from(["a", "b", "c", None]), st.integers(0, 2)), min_size=1
    ),
    st.integers(0, 1_000),
)
def test_each_row_falls_into_the_bin_of_its_version(
    rows: list[tuple[float, str | None, int]], seed: int
) -> None:
    noise = np.random.default_rng(seed)
    shapes = (noise.normal(size=300), noise.poisson(2.0, 300), np.full(300, np.nan))
    bins = [
        fit_bins({"x": np.asarray(values, np.float64), "town": noise.choice(list("ab"), 300)})
        for values in shapes
    ]
    numbers = np.array([row[0] for row in rows], dtype=np.float64)
    texts, version = [row[1] for row in rows], np.array([row[2] for row in rows], dtype=np.intp)
    weight = noise.uniform(0.5, 3.0, len(rows))
    every = Chosen(row=np.arange(len(rows)), version=version, group=version, weight=weight)
    found = sketch_stacked(
        {"x": numbers, "town": pa.array(texts, pa.string())},
        stack_bins(bins),
        {"x": every, "town": every},
        3,
    )
    for place, own in enumerate(bins):
        mine = version == place
        columns = {"x": numbers[mine], "town": pa.array(np.array(texts)[mine], pa.string())}
        count = int(mine.sum())
        each = sketch(columns, own, group=np.arange(count), groups=count)  # row by row
        assert np.allclose(found.counts[place], np.tensordot(weight[mine], each.counts, 1))
        assert np.allclose(found.squares[place], np.tensordot(weight[mine] ** 2, each.squares, 1))
        sums = np.tensordot(weight[mine], each.moments[:, :, :LOWEST], 1)
        ends = each.pooled().moments[0, :, LOWEST:]
        assert np.allclose(found.moments[place], np.concatenate([sums, ends], axis=1))
