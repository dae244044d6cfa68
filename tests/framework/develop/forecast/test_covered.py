from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import Applicability, FitContext, ForecastData, ForecastSchema, ModelError
from loopcast.deploy.forecast_bundle import FALLBACK_FILE, pack, unpack
from loopcast.develop.course import Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.covered import Covered, fit_one
from loopcast.develop.forecast.horizon import horizon_end, horizon_index
from loopcast.serve.batch import forecast
from loopcast_forecasting.templates.seasonal_naive import SeasonalNaive, SeasonalNaiveParameters

from ..conftest import make_course, train
from ..contenders import Broken, Days, LastWeek, Partial

CONTEXT = FitContext(seed=0, engine=LocalEngine())
FALLBACK = Contender(
    label="fallback", template=SeasonalNaive(), hyperparameters=SeasonalNaiveParameters()
)


def contender(template: LastWeek) -> Contender:
    return Contender(label="candidate", template=template, hyperparameters=Days(days=1))


def fitted(data: ForecastData, fallback: Contender | None = FALLBACK) -> Covered:
    return fit_one(contender(Partial()), fallback, data, "", CONTEXT)


def next_day(data: ForecastData) -> tuple[ForecastData, pd.DatetimeIndex]:
    origin = data.times[-48]
    known = data.until(origin, horizon_end(origin, "1D"))
    return known, horizon_index(origin, "1D", "30min")


def test_the_fallback_speaks_for_the_series_without_a_model(panel: ForecastData) -> None:
    known, horizon = next_day(panel)
    found = fitted(panel).predict(known, horizon)
    day_before, week_before = (
        panel.target.loc[horizon - pd.Timedelta(days=days)].to_numpy() for days in (1, 7)
    )
    np.testing.assert_array_equal(found.mean[:, :2], day_before[:, :2])
    np.testing.assert_array_equal(found.mean[:, 2], week_before[:, 2])
    assert found.reasons == {"west": "too short"}


def test_the_fallback_goes_back_to_the_last_week_that_is_known(panel: ForecastData) -> None:
    target = panel.target.copy()
    target.iloc[-20 * 48 :, 2] = np.nan
    silent = replace(panel, target=target)
    known, horizon = next_day(silent)
    found = fitted(silent).predict(known, horizon)
    expected = panel.target.loc[horizon - pd.Timedelta(days=21), "west"]
    np.testing.assert_array_equal(found.mean[:, 2], expected)


def test_a_series_of_which_nothing_is_known_is_zero_and_said_to_be(panel: ForecastData) -> None:
    dead = replace(panel, target=panel.target.assign(west=np.nan))
    found = fitted(dead).predict(*next_day(dead))
    assert (found.mean[:, 2] == 0).all()
    assert found.reasons == {"west": "too short; the fallback has no value, so 0"}


def test_without_a_fallback_the_first_such_series_stops_the_run(panel: ForecastData) -> None:
    expected = (
        "template demo.partial: 1 of 3 series could not be fitted at step 30min, the first west: "
        "too short; set fallback to a template that forecasts such series"
    )
    with pytest.raises(ModelError) as caught:
        fitted(panel, fallback=None)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (Broken(float("nan")), "template demo.broken: forecast from .* is not finite for series"),
        (Broken(-1.0, columns=2), r"has shape \(48, 2\); expected \(48, 3\)"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused(
    panel: ForecastData, template: LastWeek, message: str
) -> None:
    model = fit_one(contender(template), FALLBACK, panel, "", CONTEXT)
    with pytest.raises(ModelError, match=message):
        model.predict(*next_day(panel))


def test_a_version_keeps_its_fallback(panel: ForecastData, schema: ForecastSchema) -> None:
    dead = replace(panel, target=panel.target.assign(west=np.nan))
    course = make_course(
        schema, Partial(), baselines=(replace(FALLBACK, label="naive"),), fallback=FALLBACK
    )
    trained = train(course, dead)
    own = {m.name: m.value for m in trained.contest.evaluations[0].metrics if not m.subset}
    assert own["mape"] == pytest.approx(own["mape"])  # the total is known, whatever west was
    files = pack(trained, course, dead)
    assert {FALLBACK_FILE, "fallback/30min/model.json", "fallback/1D/model.json"} <= set(files)
    asked: list[str] = []

    def find(name: str) -> Any:
        asked.append(name)
        return SeasonalNaive()

    served = unpack(files, Partial(), find)
    assert asked == ["forecasting.seasonal_naive"]
    origin = dead.times[-1] + pd.Timedelta("30min")
    batch = forecast(served, dead, origin, course.reconciler, Applicability())
    assert batch.stand_ins == {"west": "too short; the fallback has no value, so 0"}
    west = batch.table[batch.table["series"].eq("west")]
    assert (west[["mean", "0.05", "0.95"]].to_numpy() == 0).all()
    assert batch.coherence_error < 1e-12
