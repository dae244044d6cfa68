"""Bins of numbers end at quantiles that are values of the reference."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loopcast.monitor.bins import EDGES, INNER, fit_bins


@given(rows=st.integers(2 * INNER, 5_000), missing=st.integers(0, 9), seed=st.integers(0, 99))
def test_edges_are_the_quantiles_that_numpy_finds(rows: int, missing: int, seed: int) -> None:
    noise = np.random.default_rng(seed)
    values = noise.permutation(np.append(noise.normal(size=rows), np.full(missing, np.nan)))
    bins = fit_bins({"x": values})
    levels = np.arange(1, INNER + 1) / INNER
    expected = np.nanquantile(values, levels, method="inverted_cdf")
    lowest = np.nanmin(values)
    assert bins.edges.shape == (1, EDGES)
    assert np.array_equal(bins.edges[0, 1:], expected)
    assert bins.edges[0, 0] == np.nextafter(lowest, -np.inf)
    assert bins.centres[0] == np.nanmedian(values)
