from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData, ForecastSchema, ModelError
from loopcast.develop.course import Contender
from loopcast.develop.engine import LocalEngine, engine_for
from loopcast.develop.forecast.backtest import backtest
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.horizon import backtest_origins, horizon_index
from loopcast.develop.forecast.panel import at_step
from loopcast.settings import EngineSettings
from loopcast_forecasting.templates.seasonal_naive import SeasonalNaive, SeasonalNaiveParameters

from ..conftest import make_course
from ..contenders import Broken, LastWeek, Spy


def test_a_template_is_never_shown_the_future(panel: ForecastData, schema: ForecastSchema) -> None:
    origins = backtest_origins(panel, 20)
    levels = {"30min": panel, "1D": at_step(panel, "1D", "mean")}
    course = make_course(schema, Spy(), baselines=())
    found = backtest(course, levels, origins, LocalEngine())["candidate"]
    assert set(found) == {"30min", "1D"}
    assert (found["1D"].mean == 1.0).all()


def test_predictions_are_laid_out_by_origin(panel: ForecastData, course: ForecastCourse) -> None:
    origins = backtest_origins(panel, 12)
    calls: list[str] = []
    found = backtest(course, {"30min": panel}, origins, LocalEngine(), calls.append)
    p = found["candidate"]["30min"]
    assert calls == ["candidate"] * 2 + ["yesterday"] * 2
    for position, origin in enumerate(origins):
        index = horizon_index(origin, "1D", "30min")
        rows = p.origin == position
        pd.testing.assert_index_equal(p.times[rows], index, check_names=False)
        np.testing.assert_array_equal(p.actual[rows], panel.target.loc[index])
        week_before = panel.target.loc[index - pd.Timedelta(days=7)]
        np.testing.assert_array_equal(p.mean[rows], week_before)


def test_processes_give_the_same_numbers(panel: ForecastData, schema: ForecastSchema) -> None:
    candidate = Contender(
        label="naive", template=SeasonalNaive(), hyperparameters=SeasonalNaiveParameters()
    )
    course = make_course(schema, LastWeek(), candidate=candidate, baselines=())
    origins = backtest_origins(panel, 12)
    one = backtest(course, {"30min": panel}, origins, LocalEngine())
    with engine_for(EngineSettings(name="local", workers=2)) as engine:
        two = backtest(course, {"30min": panel}, origins, engine)
    for label, by_step in one.items():
        np.testing.assert_array_equal(by_step["30min"].mean, two[label]["30min"].mean)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (Broken(float("nan")), "template demo.broken: forecast from .* is not finite for series"),
        (Broken(-1.0, columns=2), r"has shape \(\d+, 2\); expected \(\d+, 3\)"),
        (Broken(1.0), "nothing to learn"),
    ],
)
def test_unusable_forecasts_stop_the_backtest(
    panel: ForecastData, schema: ForecastSchema, template: LastWeek, message: str
) -> None:
    course = make_course(schema, template)
    with pytest.raises(ModelError, match=message):
        backtest(course, {"30min": panel}, backtest_origins(panel, 3), LocalEngine())
