"""Weights of the recent population, against a density ratio that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr

from loopcast.api import DataError
from loopcast.iterate.retrain.weights import bounded, effective_size, recent_weights

ROWS = 4_000


def frame(seed: int, shift: float, rows: int = ROWS) -> pd.DataFrame:
    noise = np.random.default_rng(seed)
    town = noise.choice(["a", "b"], rows, p=[0.5 + shift / 4, 0.5 - shift / 4])
    return pd.DataFrame({"x": noise.normal(shift, 1.0, rows), "town": pd.Categorical(town)})


def test_rows_count_by_how_often_their_kind_is_met_now() -> None:
    then, now = frame(1, 0.0), frame(2, 1.0).astype({"town": object})
    found = recent_weights(then, now, bound=1e4, seed=0)
    exact = norm.pdf(then["x"], 1.0) / norm.pdf(then["x"], 0.0)
    exact *= np.where(then["town"] == "a", 1.5, 0.5)
    assert spearmanr(found.values, exact).statistic > 0.9
    for name, values in (("x", then["x"]), ("a", then["town"] == "a")):
        weighted = np.average(values.astype(float), weights=found.values)
        recent = np.mean(now["x"] if name == "x" else now["town"] == "a")
        plain = np.mean(values.astype(float))
        assert abs(weighted - recent) < 0.15 * abs(plain - recent), name


def test_where_nothing_moved_all_rows_count_much_the_same() -> None:
    found = recent_weights(frame(1, 0.0), frame(2, 0.0), bound=20.0, seed=0)
    assert found.values.mean() == pytest.approx(1.0)
    assert effective_size(found.values) > 0.85 * ROWS


def test_weights_are_bounded_and_the_effective_size_says_what_is_lost() -> None:
    far = recent_weights(frame(1, 0.0), frame(2, 1.9), bound=20.0, seed=0)
    assert far.values.max() / far.values.min() <= 20.0 + 1e-9
    assert effective_size(far.values) < 0.5 * ROWS
    assert effective_size(np.ones(10)) == pytest.approx(10.0)
    assert effective_size(np.array([1.0, 0.0, 0.0])) == pytest.approx(1.0)
    assert bounded(np.array([1e-9, 1e9]), 9.0).tolist() == pytest.approx([0.2, 1.8])


def test_too_few_rows_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="need 100 rows of each kind; there are 4,000 of training"):
        recent_weights(frame(1, 0.0), frame(2, 0.0, rows=99), bound=20.0, seed=0)
