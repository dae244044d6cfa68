from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.dataset import known_forecast
from loopcast.develop.forecast.judged import drawn_rows
from loopcast.develop.forecast.measured import filled_in_backtest, filled_levels
from loopcast.develop.forecast.train import prepare_levels, run_contest, train_on_all
from loopcast.iterate.forecast import STEPS
from loopcast.iterate.tasks import Champion
from loopcast.settings import DataSettings

from ..conftest import MELBOURNE, forecast_table, long_table, make_course
from ..contenders import Spy

if TYPE_CHECKING:
    from loopcast.api import Evaluation, ForecastData, ForecastSchema
    from loopcast.develop.forecast.course import ForecastCourse
    from loopcast.develop.forecast.dataset import KnownForecast

DATASET = "ab" * 32
WEEK = 7 * 48


def marked(panel: ForecastData) -> pd.DataFrame:
    """A mask of a panel of which nothing was filled in yet."""
    return panel.target.isna()


def metric(evaluation: Evaluation, name: str, series: str) -> tuple[float | None, int]:
    return next(
        (m.value, m.count)
        for m in evaluation.metrics
        if (m.name, m.subset) == (name, f"series={series}")
    )


def without_the_last_week_of_the_north(schema: ForecastSchema) -> KnownForecast:
    table = long_table("2014-08-01", days=60, known_ahead=1)
    late = table["stamp"] >= pd.Timestamp("2014-09-23", tz=MELBOURNE)
    table["demand"] = table["demand"].mask(late & table["region"].eq("north"))
    settings = DataSettings(name="demo", reader="csv", table=forecast_table(gaps="impute"))
    return known_forecast(table, settings, schema, "demand.csv", None)


def test_a_week_that_was_filled_in_judges_nobody(course: ForecastCourse) -> None:
    known = without_the_last_week_of_the_north(course.schema)
    north = known.training.target["north"]
    np.testing.assert_array_equal(north[-WEEK:], north[-2 * WEEK : -WEEK])  # as the naive forecast
    assert known.dataset.imputed == WEEK
    assert known.filled is not None
    assert filled_in_backtest(course.plan, known.training, known.filled) == WEEK

    ((_, found),) = STEPS.contest(course, {"": known}, LocalEngine(), lambda _: None)
    assert not isinstance(found, Exception)
    rows = drawn_rows(found.judged, "30min", MELBOURNE)
    last_week = rows["time"] >= north.index[-WEEK]
    assert set(rows.loc[last_week, "series"]) == {"south", "west"}
    own = rows[rows["series"].eq("north") & rows["contender"].eq("candidate")]
    assert len(own) == (course.plan.origins - 7) * 48
    error = (own["actual"] - own["mean"]).abs().mean()
    value, count = metric(found.evaluations[0], "mae", "north")
    assert value == pytest.approx(error)
    assert count == len(own)


def test_a_champion_is_judged_by_the_same_rows(course: ForecastCourse) -> None:
    known = without_the_last_week_of_the_north(course.schema)
    ((_, found),) = STEPS.contest(course, {"": known}, LocalEngine(), lambda _: None)
    assert not isinstance(found, Exception)
    trained = train_on_all(course, known.training, found.own.contest, LocalEngine())
    champion = Champion(name="c1", template="", model=trained, files={})
    judged, evaluation = STEPS.judge(course, known, champion, found, LocalEngine())
    assert all(map(np.array_equal, judged.keys, found.judged.keys))
    assert metric(evaluation, "mae", "north") == metric(found.evaluations[0], "mae", "north")


def test_whatever_was_filled_in_changes_no_measure(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    """Neither measures nor intervals nor weights know it: a constant forecast shows it."""
    course = make_course(schema, Spy(), baselines=())
    filled = marked(panel)
    filled.iloc[-15 * 48 : -9 * 48, 1] = True  # among both the first and the judged origins
    other = replace(panel, target=panel.target.where(~filled, panel.target * 9.0))
    first, second = (
        run_contest(course, each, DATASET, LocalEngine(), filled=filled) for each in (panel, other)
    )
    assert first.evaluations == second.evaluations
    np.testing.assert_array_equal(first.errors, second.errors)
    for step, intervals in first.intervals.items():
        np.testing.assert_array_equal(intervals.scale, second.intervals[step].scale)
        np.testing.assert_array_equal(intervals.quantiles, second.intervals[step].quantiles)
    taken = run_contest(course, other, DATASET, LocalEngine())
    assert taken.evaluations != first.evaluations


def test_a_mask_of_nothing_changes_nothing(panel: ForecastData, course: ForecastCourse) -> None:
    expected = run_contest(course, panel, DATASET, LocalEngine())
    found = run_contest(course, panel, DATASET, LocalEngine(), filled=marked(panel))
    assert found.evaluations == expected.evaluations
    np.testing.assert_array_equal(found.errors, expected.errors)


def test_where_all_was_filled_in_the_kpi_is_undefined(
    panel: ForecastData, course: ForecastCourse
) -> None:
    filled = marked(panel)
    filled.iloc[-30 * 48 :] = True
    found = run_contest(course, panel, DATASET, LocalEngine(), filled=filled)
    assert not found.gates[0].passed
    assert found.gates[0].measured.startswith("mape undefined on the judged rows")


def test_a_sum_is_measured_while_little_of_it_was_filled_in(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    """Sizes are 100, 200 and 2: a gap of the smallest leaves the sum of all."""
    panel.target["west"] /= 25.0
    preparation = prepare_levels(panel, schema, panel.times[-1])
    fine = preparation.levels(panel)["30min"]
    filled = marked(panel)
    first = len(panel.times) - 20 * 48
    filled.iloc[first : first + 96, 2] = True  # the west for two days
    filled.iloc[first : first + 2, 0] = True  # the north for an hour, a twenty-fourth of the first
    filled.iloc[first : first + 3, 1] = True  # the south for longer
    found = filled_levels(preparation.hierarchy, fine, filled, panel.times[first])
    assert list(found["1D"].columns) == ["north", "south", "west", "coast", "total"]
    assert found["1D"].to_numpy()[:2].tolist() == [
        [False, True, True, True, True],
        [False, False, True, False, False],
    ]
    half_hours = found["30min"].to_numpy()[:4]
    assert half_hours.T.tolist() == [
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
        [True, True, True, False],
        [True, True, True, False],
    ]
    assert found["1h"].to_numpy()[:3, :2].T.tolist() == [[True, False, False], [True, True, False]]
    assert not found["30min"].iloc[96:].to_numpy().any()


def test_a_series_of_zeros_is_filled_in_where_it_was(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    panel.target["west"] = 0.0
    preparation = prepare_levels(panel, schema, panel.times[-1])
    filled = marked(panel)
    filled.iloc[-3:, 2] = True
    fine = preparation.levels(panel)["30min"]
    found = filled_levels(preparation.hierarchy, fine, filled, panel.times[-48])["30min"]
    assert found["west"].tolist() == [False] * 45 + [True] * 3
    assert not found["total"].any()
