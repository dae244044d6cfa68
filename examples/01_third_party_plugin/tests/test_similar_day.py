"""What an author tests: the template through the API, with data whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import loopcast_acme
import numpy as np
import pandas as pd
import pytest
from loopcast_acme.similar_day import SimilarDay, SimilarDayParameters

from loopcast.api import DataError, ForecastData, Site
from loopcast.testing import check_template, fit_context

ZONE = "Australia/Melbourne"


def panel(start: str, days: int) -> tuple[ForecastData, pd.DatetimeIndex]:
    """Demand that is 10 MW for each degree, 100 MW more on working days; its last day unknown."""
    first = pd.Timestamp(start, tz=ZONE)
    times = pd.date_range(first, first + pd.DateOffset(days=days), freq="30min", inclusive="left")
    dates = times.tz_localize(None).normalize()
    temperature = 10.0 + (dates.day_of_year * 7) % 20
    working = (dates.day_of_week < 5).astype(float)
    demand = 10.0 * temperature + 100.0 * working + times.hour
    origin = first + pd.DateOffset(days=days - 1)
    past = times < origin
    data = ForecastData(
        target=pd.DataFrame({"town": demand[past]}, index=times[past]),
        covariates={
            "temperature": pd.DataFrame({"here": temperature}, index=times),
            "working_day": pd.DataFrame({"here": working}, index=times),
        },
        sites={"here": Site(timezone=ZONE)},
        site_of={"town": "here"},
        step="30min",
        timezone=ZONE,
    )
    return data, times[~past]


def forecast(data: ForecastData, horizon: pd.DatetimeIndex, **changed: float) -> np.ndarray:
    parameters = SimilarDayParameters(**changed)
    [(_, model)] = SimilarDay().fit({"": data}, parameters, fit_context())
    assert not isinstance(model, Exception), model
    return model.predict(data, horizon).mean[:, 0]


def test_it_keeps_the_promises_of_a_template() -> None:
    spring, autumn = panel("2014-08-07", 60)[0], panel("2014-02-05", 61)[0]
    check_template(SimilarDay(), {"": spring, "elsewhere": autumn})


def test_a_day_that_was_seen_before_comes_again() -> None:
    data, horizon = panel("2014-05-01", 62)
    known = data.covariates["temperature"]["here"].loc[horizon[0]]
    expected = 10.0 * known + 100.0 * (horizon[0].day_of_week < 5) + horizon.hour
    np.testing.assert_allclose(forecast(data, horizon, neighbours=1, recency=0.0), expected)


@pytest.mark.parametrize(
    ("start", "days", "steps"), [("2014-08-07", 60, 46), ("2014-02-05", 61, 50)]
)
def test_days_of_clock_changes_are_whole(start: str, days: int, steps: int) -> None:
    data, horizon = panel(start, days)
    assert len(horizon) == steps
    assert np.isfinite(forecast(data, horizon)).all()


def test_without_temperature_it_says_what_it_needs() -> None:
    data, _ = panel("2014-05-01", 30)
    data = replace(data, covariates={})
    [(_, error)] = SimilarDay().fit({"": data}, SimilarDayParameters(), fit_context())
    assert isinstance(error, DataError)
    assert str(error) == (
        "template acme.similar_day needs the covariate 'temperature'; the data has: none"
    )


def test_without_a_complete_day_it_says_so() -> None:
    data, horizon = panel("2014-05-01", 2)
    late = {name: frame.iloc[5:] for name, frame in data.covariates.items()}
    data = replace(data, target=data.target.iloc[5:], covariates=late)
    with pytest.raises(DataError, match="'town' has no complete day"):
        forecast(data, horizon)


def test_the_plugin_offers_the_template_and_its_configuration() -> None:
    assert [template.name for template in loopcast_acme.loopcast_templates()] == [SimilarDay.name]
    assert loopcast_acme.loopcast_conf() == {"acme": "pkg://loopcast_acme.conf"}
