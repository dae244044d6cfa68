"""Forecasts beyond the domain of their version: which values, and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Applicability,
    Forecast,
    ForecastData,
    ForecastSchema,
    ModelError,
    Treatment,
)
from loopcast.deploy.forecast_bundle import ForecastVersion, pack, unpack
from loopcast.develop.course import Contender
from loopcast.develop.forecast.hierarchy import BottomUp
from loopcast.serve.batch import QUANTILE_COLUMNS, forecast

from ..develop.conftest import make_course, make_panel, train
from ..develop.contenders import Days, LastWeek, LastWeekModel

YESTERDAY = Contender(label="fallback", template=LastWeek(), hyperparameters=Days(days=1))


def version_of(
    schema: ForecastSchema, panel: ForecastData, rules: Applicability
) -> ForecastVersion:
    course = make_course(schema, LastWeek(), fallback=YESTERDAY)
    model = msgspec.structs.replace(course.logical_model, applicability=rules)
    course = replace(course, logical_model=model)
    past = panel.until(panel.times[-1] + pd.Timedelta("30min"), panel.times[-1])
    files = pack(train(course, past), course, past)
    return unpack(files, LastWeek(), lambda name: LastWeek())


def heated(panel: ForecastData) -> ForecastData:
    """The desert is hotter than ever from ten until noon of the day to forecast."""
    frame = panel.covariates["temperature"].copy()
    times = pd.DatetimeIndex(frame.index)
    day = times >= panel.times[-1] + pd.Timedelta("30min")
    frame.loc[day] = 15.0
    frame.loc[day & (times.hour >= 10) & (times.hour < 12), "desert"] = 55.0
    return replace(panel, covariates={**panel.covariates, "temperature": frame})


@pytest.fixture
def panel(schema: ForecastSchema) -> ForecastData:
    return heated(make_panel(schema, days=60))


def batch(schema: ForecastSchema, panel: ForecastData, outside: Treatment) -> pd.DataFrame:
    rules = Applicability(outside=outside, novelty="ignore")
    version = version_of(schema, panel, rules)
    origin = panel.times[-1] + pd.Timedelta("30min")
    found = forecast(version, panel, origin, BottomUp(), rules)
    assert found.coherence_error < 1e-12
    return found.table


def beyond_rows(table: pd.DataFrame) -> Any:
    """The four hot half-hours of west, the hours and the day above them, and the total's."""
    hour = table["time"].dt.hour
    hot = (table["step"] == "1D") | ((hour >= 10) & (hour < 12))
    return hot & table["series"].isin(["west", "total"])


def test_a_value_is_beyond_where_one_of_its_parts_is(
    schema: ForecastSchema, panel: ForecastData
) -> None:
    table = batch(schema, panel, "flag")
    expected = beyond_rows(table)
    assert (table["action"] == np.where(expected, "flagged", "served")).all()
    assert table.loc[expected, "reason"].str.startswith("temperature above ").all()
    assert table.loc[~expected, "reason"].isna().all()
    assert np.isfinite(table[["mean", *QUANTILE_COLUMNS]]).all(axis=None)


def test_what_is_refused_is_missing_and_nothing_else_changes(
    schema: ForecastSchema, panel: ForecastData
) -> None:
    flagged, refused = batch(schema, panel, "flag"), batch(schema, panel, "refuse")
    expected = beyond_rows(refused)
    numbers = ["mean", *QUANTILE_COLUMNS, "total"]
    assert refused.loc[expected, numbers].isna().all(axis=None)
    pd.testing.assert_frame_equal(refused.loc[~expected, numbers], flagged.loc[~expected, numbers])


def test_the_fallback_forecasts_what_is_beyond_and_all_of_it_adds_up(
    schema: ForecastSchema, panel: ForecastData
) -> None:
    table = batch(schema, panel, "fallback")
    own = table[(table["step"] == "30min") & (table["series"] == "west")]
    times = pd.DatetimeIndex(own["time"])
    hot = (times.hour >= 10) & (times.hour < 12)
    actual = panel.target["west"]
    day = pd.Timedelta(days=1)
    np.testing.assert_allclose(own.loc[hot, "mean"], actual.loc[times[hot] - day])
    np.testing.assert_allclose(own.loc[~hot, "mean"], actual.loc[times[~hot] - 7 * day])
    assert (table["action"] == np.where(beyond_rows(table), "fallback", "served")).all()
    totals = table.groupby(["step", "series"])["total"].sum().unstack()
    np.testing.assert_allclose(totals["total"], totals["coast"] + totals["west"])
    np.testing.assert_allclose(totals.loc["30min"], totals.loc["1D"])


def test_a_fallback_that_raises_is_an_error_of_the_version(
    schema: ForecastSchema, panel: ForecastData
) -> None:
    class Failing(LastWeekModel):
        def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
            raise KeyError("desert")

    rules = Applicability(outside="fallback", novelty="ignore")
    version = version_of(schema, panel, rules)
    stand_ins = dict.fromkeys(version.limits.stand_ins, Failing(days=1))
    version = replace(version, limits=replace(version.limits, stand_ins=stand_ins))
    origin = panel.times[-1] + pd.Timedelta("30min")
    with pytest.raises(ModelError, match="the fallback: predict raised KeyError: 'desert'"):
        forecast(version, panel, origin, BottomUp(), rules)


def test_an_unusual_combination_is_novel_though_each_value_is_ordinary(
    schema: ForecastSchema,
) -> None:
    """Heat and holidays went together in training; heat on a working day did not."""
    plain = make_panel(schema, days=60)
    heat = plain.covariates["temperature"]
    holiday = (heat > 19).astype(np.float64)
    origin = plain.times[-1] + pd.Timedelta("30min")
    ahead = heat.index >= origin
    heat, holiday = heat.copy(), holiday.copy()
    heat.loc[ahead], holiday.loc[ahead] = 14.0, 0.0
    heat.loc[heat.index[-1], "city"] = 23.0
    panel = replace(plain, covariates={"temperature": heat, "holiday": holiday})
    rules = Applicability(share=0.01)
    found = forecast(version_of(schema, panel, rules), panel, origin, BottomUp(), rules).table
    novel = found[found["reason"] == "unusual combination of values"]
    fine = novel[novel["step"] == "30min"]
    assert set(fine["series"]) == {"north", "south", "coast", "total"}
    assert set(fine["time"]) == {heat.index[-1]}
    assert found["reason"].dropna().unique().tolist() == ["unusual combination of values"]


def test_a_version_without_a_domain_serves_as_ever(
    schema: ForecastSchema, panel: ForecastData
) -> None:
    version = version_of(schema, panel, Applicability())
    older = replace(version, limits=replace(version.limits, domains={}))
    origin = panel.times[-1] + pd.Timedelta("30min")
    table = forecast(older, panel, origin, BottomUp(), Applicability()).table
    assert set(table["action"]) == {"served"}
