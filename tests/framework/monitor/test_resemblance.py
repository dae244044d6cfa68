"""How much rows of one day resemble each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast.monitor.bins import fit_bins
from loopcast.monitor.resemblance import design_effect
from loopcast.monitor.sketch import sketch

Array = NDArray[np.float64]


class TestDesignEffect:
    def by_day(self, values: Array, days: int) -> tuple[Any, Any]:
        bins = fit_bins({"x": values})
        group = np.arange(len(values)) * days // len(values)
        return sketch({"x": values}, bins), sketch({"x": values}, bins, group=group, groups=days)

    def test_is_one_where_rows_are_independent(self) -> None:
        values = np.random.default_rng(5).normal(size=20_000)
        assert design_effect(*self.by_day(values, 100)).item() < 1.4

    def test_is_the_number_of_rows_where_a_day_has_one_value(self) -> None:
        values = np.repeat(np.random.default_rng(6).normal(size=100), 48)
        values += 0.5 * np.random.default_rng(7).normal(size=len(values))
        assert 20 < design_effect(*self.by_day(values, 100)).item() < 300
