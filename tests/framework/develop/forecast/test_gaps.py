from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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


def test_a_gap_without_neighbours_is_refused(panel: ForecastData, schema: ForecastSchema) -> None:
    target = panel.target.copy()
    target.iloc[100 : 100 + 25 * 48, 2] = np.nan
    with pytest.raises(DataError, match=r"missing values cannot be imputed, the first at .* west"):
        fill_gaps(target, schema, "demand.csv")
