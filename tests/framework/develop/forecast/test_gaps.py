from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from msgspec import structs

from loopcast.api import DataError, ForecastData, ForecastSchema
from loopcast.develop.forecast.gaps import fill_gaps


def test_a_long_gap_takes_the_mean_of_the_weeks_around(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    target = panel.target.copy()
    target.iloc[1000:1010, 1] = np.nan
    filled = fill_gaps(target, schema, "demand.csv")
    week = 7 * 48
    expected = (
        panel.target.iloc[1000 - week : 1010 - week, 1].to_numpy()
        + panel.target.iloc[1000 + week : 1010 + week, 1].to_numpy()
    ) / 2
    np.testing.assert_allclose(filled.iloc[1000:1010, 1], expected)
    pd.testing.assert_frame_equal(filled.drop(index=target.index[1000:1010]), target.dropna())


def test_a_short_gap_is_interpolated(panel: ForecastData, schema: ForecastSchema) -> None:
    target = panel.target.copy()
    target.iloc[1000:1004, 0] = np.nan
    filled = fill_gaps(target, schema, "demand.csv").iloc[999:1005, 0].to_numpy()
    np.testing.assert_allclose(np.diff(filled), (filled[-1] - filled[0]) / 5)


def test_a_gap_of_days_takes_the_weeks_around_it_over_a_change_of_clocks(
    schema: ForecastSchema,
) -> None:
    days = pd.date_range("2014-09-20", "2014-10-20", freq="D", tz="Australia/Melbourne")
    target = pd.DataFrame({"north": np.arange(float(len(days)))}, index=days)
    holes = target.drop(index=days[14:16]).reindex(days)  # clocks go forward on the next night
    filled = fill_gaps(holes, structs.replace(schema, step="1D", resolutions=()), "sales.csv")
    pd.testing.assert_frame_equal(filled, target)


def test_what_a_young_series_was_before_is_not_made_up(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    target = panel.target.copy()
    first = len(target) - 7 * 48
    target.iloc[:first, 2] = np.nan
    filled = fill_gaps(target, schema, "demand.csv", tolerate=True)
    pd.testing.assert_frame_equal(filled, target)
    with pytest.raises(DataError, match=r"west; its first value is at 2014-10-23 00:00:00\+11:00"):
        fill_gaps(target.iloc[first - 9 :], schema, "demand.csv")


def test_a_gap_without_neighbours_is_refused(panel: ForecastData, schema: ForecastSchema) -> None:
    target = panel.target.copy()
    target.iloc[100 : 100 + 25 * 48, 2] = np.nan
    with pytest.raises(
        DataError, match=r"missing values cannot be imputed \(\d+\), the first at .* west"
    ):
        fill_gaps(target, schema, "demand.csv")
