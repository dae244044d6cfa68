from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_forecasting.direct.curves import (
    DayGrid,
    coefficients,
    cosine_basis,
    daily_table,
    day_grid,
)

ZONE = "Australia/Melbourne"


def grid_of(first: str, last: str, step: str) -> tuple[pd.DatetimeIndex, DayGrid]:
    times = pd.date_range(first, last, freq=step, tz=ZONE, inclusive="left")
    return times, day_grid(times, step, times[0])


@pytest.mark.parametrize("step", ["30min", "1h", "1D"])
def test_every_value_is_found_at_its_day_and_wall_clock(step: str) -> None:
    times, grid = grid_of("2014-04-01", "2014-10-10", step)
    series = np.random.default_rng(0).normal(size=len(times))
    table, known = daily_table(series[:, None], grid, 192)
    assert known.all()
    wall = pd.DataFrame({"date": times.date, "clock": times.time, "value": series})
    expected = wall.groupby(["date", "clock"])["value"].mean()
    found = table[0, grid.day, grid.slot]
    np.testing.assert_allclose(
        found, expected.loc[list(zip(times.date, times.time, strict=True))], rtol=1e-12
    )


def test_the_day_of_23_hours_gets_the_mean_of_its_others() -> None:
    times, grid = grid_of("2014-10-05", "2014-10-06", "1h")
    values = np.arange(23.0)
    table, _ = daily_table(values[:, None], grid, 1)
    assert times[2].hour == 3
    assert table[0, 0, 2] == values.mean()


def test_the_repeated_hour_is_averaged_over_what_is_known() -> None:
    _, grid = grid_of("2014-04-06", "2014-04-07", "1h")
    values = np.zeros((25, 3))
    values[2:4] = [[1.0, np.nan, np.nan], [3.0, 3.0, np.nan]]
    table, known = daily_table(values, grid, 1)
    assert table[:, 0, 2].tolist() == [2.0, 3.0, 0.0]
    assert known.all()


def test_days_with_less_than_half_have_no_curve() -> None:
    times, grid = grid_of("2014-06-01T14:00", "2014-06-05", "1h")
    values = np.ones((len(times), 2))
    values[20:24, 1] = np.nan
    table, known = daily_table(values, grid, 5)
    assert known.tolist() == [[False, True, True, True, False]] * 2
    assert not table[:, [0, 4]].any()
    assert (table[:, 1:4] == 1).all()


def test_days_outside_are_left_out() -> None:
    _, grid = grid_of("2014-06-01", "2014-06-11", "1h")
    values = np.random.default_rng(1).normal(size=(240, 2))
    later = DayGrid(day=grid.day - 4, slot=grid.slot, per_day=24)
    table, _ = daily_table(values, later, 3)
    np.testing.assert_array_equal(table, values[96:168].T.reshape(2, 3, 24))


@given(per_day=st.integers(1, 96), cosines=st.integers(1, 96))
def test_cosines_are_orthonormal(per_day: int, cosines: int) -> None:
    basis = cosine_basis(per_day, cosines)
    assert basis.shape == (per_day, min(per_day, cosines))
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)


def test_all_cosines_hold_the_whole_curve() -> None:
    table = np.random.default_rng(2).normal(size=(3, 5, 24))
    basis = cosine_basis(24, 48)
    np.testing.assert_allclose((basis @ coefficients(table, basis)).mT, table, atol=1e-12)
