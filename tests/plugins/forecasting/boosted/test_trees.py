from __future__ import annotations

import sys

import numpy as np
import pytest

from loopcast.api import ModelError
from loopcast_forecasting.boosted.trees import SeriesTrees, fit_trees, require_lightgbm

RNG = np.random.default_rng(8)
NAMES = ("hour", "temperature", "monday", "day_mean")
INPUTS = {name: RNG.uniform(-1, 1, 1500) for name in NAMES}
FOLD = np.arange(1500) // 100 % 5
SURFACE = 1.0 * ((INPUTS["hour"] > 0) & (INPUTS["temperature"] > 0))
Y = np.column_stack([SURFACE, -2 * SURFACE]) + 0.1 * RNG.normal(size=(1500, 2))


def test_trees_find_what_is_not_additive() -> None:
    trees, left_out = fit_trees(INPUTS, Y, FOLD, rounds=100)
    assert trees.inputs == ("hour", "temperature", "day_mean")
    # The best sum of an effect of each is a quarter off everywhere.
    assert np.abs(left_out[:, 0] - SURFACE).mean() < 0.1
    assert np.abs(left_out[:, 1] + 2 * SURFACE).mean() < 0.2


def test_a_fold_is_predicted_without_it() -> None:
    spoilt = np.where(FOLD[:, None] == 2, Y + 100, Y)
    _, left_out = fit_trees(INPUTS, Y, FOLD, rounds=20)
    _, with_spoilt = fit_trees(INPUTS, spoilt, FOLD, rounds=20)
    np.testing.assert_array_equal(with_spoilt[FOLD == 2], left_out[FOLD == 2])


def test_the_same_trees_come_back_from_text() -> None:
    trees, _ = fit_trees(INPUTS, Y, FOLD, rounds=20)
    again, _ = fit_trees(INPUTS, Y, FOLD, rounds=20)
    text = trees.to_text()
    assert text == again.to_text()
    loaded = SeriesTrees.from_text(trees.inputs, text)
    np.testing.assert_array_equal(loaded.predict(INPUTS), trees.predict(INPUTS))
    assert loaded.to_text() == text


def test_missing_values_do_not_count() -> None:
    holed = np.where(RNG.uniform(size=Y.shape) < 0.2, np.nan, Y)
    trees, left_out = fit_trees(INPUTS, holed, FOLD, rounds=100)
    assert np.isfinite(left_out).all()
    assert np.abs(trees.predict(INPUTS)[:, 0] - SURFACE).mean() < 0.1


def test_without_the_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ModelError, match=r"install loopcast-forecasting\[boosting\]"):
        require_lightgbm()
