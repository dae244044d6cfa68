"""A panel refuses parts that do not fit, and a look into the past shares memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError, ForecastData, Site

INDEX = pd.date_range("2014-04-05", periods=96, freq="30min", tz="Australia/Sydney")
LONGER = pd.date_range("2014-04-05", periods=144, freq="30min", tz="Australia/Sydney")


def panel(**changes: Any) -> ForecastData:
    columns = {"north": np.arange(96.0), "south": np.arange(96.0)}
    good: dict[str, Any] = {
        "target": pd.DataFrame(columns, index=INDEX),
        "covariates": {"temperature": pd.DataFrame({"sydney": np.arange(144.0)}, index=LONGER)},
        "sites": {"sydney": Site(timezone="Australia/Sydney")},
        "site_of": {"north": "sydney", "south": "sydney"},
        "step": "30min",
        "timezone": "Australia/Sydney",
    }
    return ForecastData(**{**good, **changes})


def test_the_order_of_series_is_that_of_the_columns() -> None:
    assert panel().series == ("north", "south")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timezone": "UTC"}, "is in zone Australia/Sydney; expected UTC"),
        ({"site_of": {"north": "sydney"}}, "series 'south' has no site among sydney"),
        (
            {"site_of": {"north": "sydney", "south": "hobart"}},
            "series 'south' has no site among sydney",
        ),
        (
            {"covariates": {"temperature": pd.DataFrame({"hobart": 1.0}, index=LONGER)}},
            "covariate 'temperature' has no column for site 'sydney'",
        ),
        (
            {"covariates": {"temperature": pd.DataFrame({"sydney": 1.0}, index=LONGER[1:])}},
            "covariate 'temperature' begins at 2014-04-05 00:30",
        ),
        (
            {"target": pd.DataFrame({"north": 1.0}, index=INDEX.tz_localize(None))},
            "is in zone None; expected Australia/Sydney",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        panel(**changes)


def test_what_is_known_at_an_origin() -> None:
    data = panel()
    origin, end = INDEX[48], INDEX[60]
    known = data.until(origin, end)
    assert known.target.index[-1] == INDEX[47]
    assert known.covariates["temperature"].index[-1] == INDEX[59]
    assert np.shares_memory(known.target.to_numpy(), data.target.to_numpy())
    for frame, whole in zip(known.covariates.values(), data.covariates.values(), strict=True):
        assert np.shares_memory(frame.to_numpy(), whole.to_numpy())


def test_nothing_is_known_before_the_beginning() -> None:
    known = panel().until(INDEX[0], INDEX[48])
    assert len(known.target) == 0
    assert len(known.covariates["temperature"]) == 48
