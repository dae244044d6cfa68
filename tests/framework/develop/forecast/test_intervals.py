from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from loopcast.develop.forecast.backtest import Predictions
from loopcast.develop.forecast.intervals import (
    LEVELS,
    calibrate,
    conformal_quantiles,
    effective_count,
    honest_quantiles,
)


def noisy(origins: int, seed: int = 0) -> Predictions:
    """Errors that are five times as wide in the evening as in the morning."""
    rng = np.random.default_rng(seed)
    slot = np.tile(np.arange(48), origins)
    spread = np.where(slot < 24, 1.0, 5.0)[:, None] * np.array([1.0, 100.0])
    mean = np.full((48 * origins, 2), 1000.0)
    return Predictions(
        step="30min",
        series=("small", "large"),
        times=pd.date_range("2020-01-01", periods=48 * origins, freq="30min", tz="UTC"),
        origin=np.repeat(np.arange(origins), 48),
        slot=slot,
        actual=mean + spread * rng.standard_t(5, (48 * origins, 2)),
        mean=mean,
    )


def test_intervals_hold_their_level_out_of_sample() -> None:
    p = noisy(60)
    quantiles = honest_quantiles(p, "1D", 30, nonnegative=False)
    assert np.isnan(quantiles[: 30 * 48]).all()
    scored = slice(30 * 48, None)
    for position, level in enumerate(LEVELS):
        share = (p.actual[scored] <= quantiles[scored, :, position]).mean(axis=0)
        np.testing.assert_allclose(share, level, atol=0.035)


def test_intervals_are_wider_where_errors_were() -> None:
    intervals = calibrate(noisy(40), "1D")
    assert 4 < intervals.scale[40, 0] / intervals.scale[8, 0] < 6
    np.testing.assert_allclose(intervals.scale[:, 1] / intervals.scale[:, 0], 100, rtol=0.4)


def test_later_errors_do_not_change_earlier_intervals() -> None:
    p, q = noisy(40), noisy(40)
    q.actual[35 * 48 :] += 1e6
    a = honest_quantiles(p, "1D", 20, nonnegative=False)
    b = honest_quantiles(q, "1D", 20, nonnegative=False)
    np.testing.assert_array_equal(a[: 35 * 48], b[: 35 * 48])


@given(seed=st.integers(0, 10_000), n=st.integers(2, 60))
def test_quantiles_never_cross(seed: int, n: int) -> None:
    errors = np.random.default_rng(seed).normal(size=(n, 3))
    errors[:1, 0] = np.nan
    count = np.array([max(n - 1.0, 1.0), n, n / 2])
    assert (np.diff(conformal_quantiles(errors, LEVELS, count), axis=0) >= 0).all()


def test_errors_that_are_alike_within_a_day_count_as_fewer() -> None:
    """A day effect as large as the rest: the intraclass correlation is a half."""
    rng = np.random.default_rng(7)
    p = noisy(400)
    day = rng.normal(size=(400, 2))[p.origin]
    p.actual[:] = p.mean + day + rng.normal(size=p.mean.shape)
    worth = effective_count(p.actual - p.mean, p.origin) / 400
    np.testing.assert_allclose(worth, 2 / (1 + 1 / 48), rtol=0.15)
    inside = []
    for start in range(0, 360, 30):
        held = slice((start + 28) * 48, (start + 30) * 48)
        intervals = calibrate(p, "1D", slice(start, start + 28))
        low, high = np.moveaxis(
            intervals.around(p.mean[held], p.slot[held], nonnegative=False)[:, :, [0, -1]], -1, 0
        )
        inside.append((low <= p.actual[held]) & (p.actual[held] <= high))
    assert 0.88 < np.mean(inside) < 0.93


def test_unknown_errors_do_not_count() -> None:
    rng = np.random.default_rng(3)
    errors = rng.normal(size=(480, 2))
    errors[::3, 1] = np.nan
    origin = np.repeat(np.arange(10), 48)
    count = effective_count(errors, origin)
    rest = errors[~np.isnan(errors[:, 1]), 1:]
    alone = effective_count(rest, origin[~np.isnan(errors[:, 1])])
    assert count[1] == alone[0] <= 320
    np.testing.assert_allclose(
        conformal_quantiles(errors, LEVELS, count)[:, 1:],
        conformal_quantiles(rest, LEVELS, alone),
    )
    np.testing.assert_array_equal(
        conformal_quantiles(np.full((5, 1), np.nan), LEVELS, np.ones(1)), 0.0
    )


def test_few_errors_give_the_widest_interval_they_can() -> None:
    errors = np.arange(10.0)[:, None]
    low, high = conformal_quantiles(errors, (0.05, 0.95), np.array([10.0]))[:, 0]
    assert (low, high) == (0.0, 9.0)
    errors = np.arange(101.0)[:, None]
    low, high = conformal_quantiles(errors, (0.05, 0.95), np.array([20.0]))[:, 0]
    np.testing.assert_allclose((low, high), (100 * 0.05 / 19, 100 * 18.95 / 19))


def test_a_series_that_is_never_wrong_has_no_spread() -> None:
    p = noisy(30)
    p.actual[:, 0] = p.mean[:, 0]
    around = calibrate(p, "1D").around(p.mean[:48], p.slot[:48], nonnegative=True)
    np.testing.assert_allclose(around[:, 0], 1000.0)


def test_nonnegative_intervals_stop_at_zero() -> None:
    intervals = calibrate(noisy(30), "1D")
    around = intervals.around(np.zeros((48, 2)), np.arange(48), nonnegative=True)
    assert around.min() == 0.0
