from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.wire import Correction, statistics, unpacked, week_inputs

from .examples import DAY, NOON

HOUR = 3_600_000


def test_a_local_day_is_one_wave_through_daylight_saving() -> None:
    """Clocks in Melbourne went back by an hour on 6 April 2014: 7 in the morning stays 7."""
    melbourne = Correction(zone="Australia/Melbourne", day=1, week=1)
    before = datetime.fromisoformat("2014-04-04T07:00:00+11:00").timestamp() * 1000
    after = datetime.fromisoformat("2014-04-07T07:00:00+10:00").timestamp() * 1000
    friday, monday = week_inputs(melbourne, [int(before), int(after)])
    angle = 2 * np.pi * 7 / 24
    np.testing.assert_allclose(friday[:3], [1.0, np.sin(angle), np.cos(angle)], atol=1e-12)
    np.testing.assert_allclose(friday[:3], monday[:3], atol=1e-12)
    week = 2 * np.pi * np.array([4 * 24 + 7, 7]) / 168
    np.testing.assert_allclose([friday[3], monday[3]], np.sin(week), atol=1e-12)


@pytest.mark.parametrize(("day", "week"), [(0, 0), (2, 1), (12, 3)])
def test_there_is_a_name_for_each_input(day: int, week: int) -> None:
    correction = Correction(zone="UTC", day=day, week=week)
    assert week_inputs(correction, [NOON, NOON + 1]).shape == (2, len(correction.inputs))
    assert len(set(correction.inputs)) == 1 + 2 * day + 2 * week
    with pytest.raises(ValueError, match="2 coefficients of"):
        Correction(zone="UTC", day=day, week=week, coef=(1.0, 2.0))


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(-9, 9)), min_size=2, max_size=60))
def test_what_devices_send_adds_up_to_what_all_rows_say(rows: list[tuple[int, float]]) -> None:
    correction = Correction(zone="Europe/Paris", clip=5.0)
    moments = [NOON + hour * HOUR for hour, _ in rows]
    residuals = [residual for _, residual in rows]
    half = len(rows) // 2
    one = statistics(correction, moments[:half], residuals[:half])
    two = statistics(correction, moments[half:], residuals[half:])
    added, whole = one + two, statistics(correction, moments, residuals)
    assert added.n == whole.n
    np.testing.assert_allclose(added.gram, whole.gram, atol=1e-9)
    np.testing.assert_allclose(added.cross, whole.cross, atol=1e-9)
    np.testing.assert_allclose(added.squares, whole.squares, atol=1e-9)
    sent = unpacked(added.n, added.triangle, added.cross.tolist(), added.squares)
    np.testing.assert_allclose(sent.gram, added.gram)
    np.testing.assert_array_equal(sent.cross, added.cross)


def test_one_absurd_residual_moves_no_more_than_its_clip() -> None:
    correction = Correction(zone="UTC", day=0, week=0, clip=2.0)
    moments = [NOON + day * DAY for day in range(4)]
    found = statistics(correction, moments, [1.0, -1.0, 1e300, -1e300])
    assert (found.n, found.cross.tolist(), found.squares) == (4, [0.0], 10.0)
