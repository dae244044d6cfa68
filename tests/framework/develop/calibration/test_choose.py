"""Which calibration is chosen, by scores whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.develop.calibration.choose import choose

Curve = Any


def drawn(curve: Curve, rows: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Scores that say one thing, where a curve of their log-odds happens."""
    random = np.random.default_rng(seed)
    said = random.normal(-1.0, 1.0, rows)
    actual = (random.random(rows) < 1.0 / (1.0 + np.exp(-curve(said)))).astype(float)
    return 1.0 / (1.0 + np.exp(-said)), actual, np.ones(rows)


def smooth(x: Any) -> Any:
    return 0.5 * x - 0.3


def bent(x: Any) -> Any:
    """Flat in the middle, and steep on both sides of it."""
    return 2.5 * np.sign(x + 1.0) * np.maximum(np.abs(x + 1.0) - 0.8, 0.0) - 1.0


@pytest.mark.parametrize(
    ("curve", "rows", "method"),
    [(smooth, 8000, "beta"), (bent, 8000, "isotonic"), (bent, 200, "beta")],
)
def test_a_free_curve_is_for_what_three_parameters_cannot_say(
    curve: Curve, rows: int, method: str
) -> None:
    chosen, tried = choose(*drawn(curve, rows))
    assert chosen == method
    assert tried.keys() == {"beta", "isotonic"}


def test_losses_are_those_of_rows_that_no_map_had_seen() -> None:
    p, actual, weight = drawn(bent, 20_000)
    _, tried = choose(p, actual, weight)
    log_odds = bent(np.log(p) - np.log1p(-p))
    truth = np.mean(np.logaddexp(0.0, log_odds) - actual * log_odds)
    assert truth < tried["isotonic"] < truth + 0.002
    assert tried["beta"] > tried["isotonic"] + 0.005


def test_few_rows_choose_the_free_curve_by_chance_hardly_ever() -> None:
    free = [choose(*drawn(smooth, 400, seed))[0] == "isotonic" for seed in range(60)]
    assert sum(free) <= 3


def test_the_order_of_rows_changes_nothing_and_weights_count() -> None:
    p, actual, weight = drawn(bent, 3000)
    order = np.random.default_rng(1).permutation(3000)
    one, tried = choose(p, actual, weight)
    other, shuffled = choose(p[order], actual[order], weight[order])
    assert one == other
    np.testing.assert_allclose(list(tried.values()), list(shuffled.values()), rtol=1e-12)
    assert one == choose(p, actual, 3.0 * weight)[0] == "isotonic"
    middle = np.abs(np.log(p) - np.log1p(-p) + 1.0) < 0.8
    assert choose(p, actual, np.where(middle, 1.0, 1e-6))[0] == "beta"
