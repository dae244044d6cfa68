from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError, ForecastData
from loopcast.develop.forecast.horizon import (
    backtest_origins,
    horizon_end,
    horizon_index,
    latest_origin,
    parse_origin,
    slot_count,
    slots,
)

ZONES = ["Australia/Melbourne", "Australia/Adelaide", "Europe/Paris", "UTC", "America/New_York"]


@given(
    day=st.dates(pd.Timestamp("2010-01-01").date(), pd.Timestamp("2020-01-01").date()),
    zone=st.sampled_from(ZONES),
    days=st.integers(1, 8),
    step=st.sampled_from(["15min", "30min", "1h"]),
)
def test_slots_follow_the_wall_clock(day: object, zone: str, days: int, step: str) -> None:
    origin = pd.Timestamp(str(day), tz=zone)
    index = horizon_index(origin, f"{days}D", step)
    assert index[0] == origin
    assert index[-1] < horizon_end(origin, f"{days}D")
    found = slots(index, origin, step)
    assert found.min() == 0
    assert found.max() == slot_count(f"{days}D", step) - 1
    minutes = pd.Timedelta(step).total_seconds() / 60
    clock = (index.hour * 60 + index.minute) // minutes
    np.testing.assert_array_equal(found % (1440 // minutes), clock)


def test_a_long_day_repeats_slots_and_a_short_one_skips_some() -> None:
    long = pd.Timestamp("2014-04-06", tz="Australia/Melbourne")
    assert np.bincount(slots(horizon_index(long, "1D", "30min"), long, "30min")).max() == 2
    short = pd.Timestamp("2014-10-05", tz="Australia/Melbourne")
    assert set(range(48)) - set(slots(horizon_index(short, "1D", "30min"), short, "30min")) == {
        4,
        5,
    }


def test_the_latest_origin_has_covariates_over_its_horizon(panel: ForecastData) -> None:
    after = panel.times[-1] + pd.Timedelta("30min")
    assert latest_origin(panel) == after
    shorter = replace(
        panel, covariates={k: v.loc[: panel.times[-1]] for k, v in panel.covariates.items()}
    )
    assert latest_origin(shorter) == after - pd.DateOffset(days=1)
    assert latest_origin(replace(panel, covariates={})) == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soon", "job.origin='soon' is not a date; expected 2014-12-31"),
        ("2014-09-01 10:30", "is 2014-09-01 10:30:00+10:00; expected a midnight in Australia/"),
        ("2014-08-01", "is outside the actuals, which go from 2014-08-01"),
        ("2020-01-01", "is outside the actuals, which go from 2014-08-01"),
    ],
)
def test_impossible_origins_are_refused(panel: ForecastData, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_origin(text, panel)
    assert message in str(caught.value)


def test_backtest_origins_end_with_the_last_observed_horizon(panel: ForecastData) -> None:
    origins = backtest_origins(panel, 10)
    assert len(origins) == 10
    assert horizon_end(origins[-1], "1D") == panel.times[-1] + pd.Timedelta("30min")
    assert len({origin.date() for origin in origins}) == 10
    with pytest.raises(DataError, match="too short for 80 backtest origins"):
        backtest_origins(panel, 80)
