from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError, ForecastData, ForecastSchema, Kpi
from loopcast.develop.baselines import beats_baselines
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.judged import drawn_rows
from loopcast.develop.forecast.train import day_types, run_contest, train_on_all
from loopcast.develop.judged import judged_bytes, read_judged

from ..conftest import make_course
from ..contenders import LastWeek

DATASET = "ab" * 32


def test_all_contenders_are_judged_on_the_same_rows(
    panel: ForecastData, course: ForecastCourse
) -> None:
    advanced: list[str] = []
    contest = run_contest(course, panel, DATASET, LocalEngine(), advanced.append)
    trained = train_on_all(course, panel, contest, LocalEngine(), advanced.append)
    assert len(advanced) == course.work_units()
    candidate, yesterday = contest.evaluations
    assert (candidate.dataset, candidate.protocol) == (yesterday.dataset, yesterday.protocol)
    assert [m.count for m in candidate.metrics] == [m.count for m in yesterday.metrics]
    assert sum(m.count for m in candidate.metrics if m.subset == "" and m.name == "mae") > 500
    assert set(trained.models) == {"30min", "1h", "1D"}


def test_metrics_are_those_of_the_scored_origins(
    panel: ForecastData, course: ForecastCourse
) -> None:
    contest = run_contest(course, panel, DATASET, LocalEngine())
    judged = read_judged(judged_bytes(contest.judged), "forecast")
    rows = drawn_rows(judged, "30min", panel.timezone)
    total = rows[(rows["series"] == "total") & (rows["contender"] == "candidate")]
    week_before = panel.target.sum(axis=1).reindex(total["time"] - pd.Timedelta(days=7))
    np.testing.assert_allclose(total["mean"], week_before)
    actual = panel.target.sum(axis=1).reindex(total["time"])
    np.testing.assert_allclose(total["actual"], actual)
    error = np.abs(total["actual"] - total["mean"]) / total["actual"]
    assert contest.evaluations[0].value("mape") == pytest.approx(100 * error.mean())
    inside = (total["actual"] >= total["low"]) & (total["actual"] <= total["high"])
    assert contest.evaluations[0].value("coverage") == pytest.approx(inside.mean())
    assert total["lead"].min() == 1
    assert set(total.groupby(total["time"].dt.date)["lead"].max()) == {48}


def test_the_gate_is_to_beat_every_baseline(panel: ForecastData, schema: ForecastSchema) -> None:
    good = run_contest(make_course(schema, LastWeek()), panel, DATASET, LocalEngine())
    value = good.evaluations[0].value("mape")
    gate = good.gates[0]
    assert gate.gate == "beats_yesterday"
    assert gate.measured == f"mape {value:.4g}"
    none = beats_baselines(good.evaluations, Kpi(metric="mape", minimum_effect=99.0), ["yesterday"])
    assert not none[0].passed
    assert none[0].expectation.endswith("by more than 99")
    unknown = beats_baselines(good.evaluations, Kpi(metric="profit"), ["yesterday"])
    assert (unknown[0].passed, unknown[0].measured) == (
        False,
        "profit undefined on the judged rows; choose a kpi.metric that is defined on each of them",
    )
    own, other, *_ = good.evaluations
    silent = [own, msgspec.structs.replace(other, metrics=())]
    [gate] = beats_baselines(silent, Kpi(metric="mape"), [other.contender])
    assert not gate.passed
    assert "it has none: name a baseline that has one" in gate.expectation


def test_too_little_data_is_refused(schema: ForecastSchema, panel: ForecastData) -> None:
    short = panel.until(panel.times[40 * 48], panel.times[40 * 48])
    with pytest.raises(DataError, match="too short for 22 backtest origins"):
        run_contest(make_course(schema, LastWeek()), short, DATASET, LocalEngine())


def test_day_types_come_from_the_calendar_and_the_flags(panel: ForecastData) -> None:
    times = panel.times
    covariates = {k: v.copy() for k, v in panel.covariates.items()}
    covariates["holiday"].loc["2014-08-06", "desert"] = 1.0
    covariates["holiday"].loc["2014-08-09", "desert"] = 1.0
    kinds = pd.Series(
        day_types(
            times,
            ForecastData(
                target=panel.target, covariates=covariates, sites=panel.sites,
                site_of=panel.site_of, step="30min", timezone=panel.timezone,
            ),
        ),
        index=times,
    )  # fmt: skip
    assert set(kinds.loc["2014-08-05"]) == {"working day"}
    assert set(kinds.loc["2014-08-06"]) == {"holiday"}
    assert set(kinds.loc["2014-08-09"]) == {"weekend"}
