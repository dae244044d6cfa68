"""A scenario of a forecast is read as it was written, over a change of clocks too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import Forecast, ForecastData, ForecastQuery, Site
from loopcast.deploy.forecast_scenario import read_scenario, scenario_bytes, scenario_data
from loopcast.develop.forecast.horizon import horizon_end

MELBOURNE = "Australia/Melbourne"


def level(step: str) -> ForecastData:
    """Sixty days with the change of clocks of 5 October 2014, two sites and covariates."""
    start = pd.Timestamp("2014-08-20", tz=MELBOURNE)
    end = start + pd.DateOffset(days=60)
    if step == "1D":
        times = pd.DatetimeIndex([start + pd.DateOffset(days=k) for k in range(60)])
    else:
        times = pd.date_range(start, end, freq=step, inclusive="left")
    rng = np.random.default_rng(3)
    sites = ["city", "total_sites"]
    return ForecastData(
        target=pd.DataFrame(
            rng.uniform(50, 60, (len(times), 2)), index=times, columns=["a", "total"]
        ),
        covariates={"temperature": pd.DataFrame(rng.normal(size=(len(times), 2)), times, sites)},
        sites={"city": Site(timezone=MELBOURNE), "total_sites": Site(timezone=MELBOURNE)},
        site_of={"a": "city", "total": "total_sites"},
        step=step,
        timezone=MELBOURNE,
        horizon="2D",
        unit="MW",
    )


@pytest.mark.parametrize("step", ["30min", "1D"])
def test_what_is_read_is_what_was_known(step: str) -> None:
    data, origin = scenario_data(level(step))
    ahead = (data.times >= origin) & (data.times < horizon_end(origin, "2D"))
    steps = int(ahead.sum())
    expected = np.arange(2.0 * steps).reshape(-1, 2)
    content = scenario_bytes(data, origin, expected)
    found = read_scenario(step, content)
    assert isinstance(found.inputs, ForecastQuery)
    assert isinstance(found.answer, Forecast)
    known, written = found.inputs.known, data.until(origin, horizon_end(origin, "2D"))
    pd.testing.assert_frame_equal(known.target, written.target, check_freq=False)
    pd.testing.assert_frame_equal(
        known.covariates["temperature"], written.covariates["temperature"], check_freq=False
    )
    assert (known.sites, known.site_of, known.unit) == (data.sites, data.site_of, "MW")
    assert known.times[-1] < found.inputs.horizon[0] == origin
    assert len(found.inputs.horizon) == steps
    np.testing.assert_array_equal(found.answer.mean, expected)
