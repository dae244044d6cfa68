from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Covariate,
    ForecastData,
    ForecastSchema,
    Kpi,
    LogicalModel,
    PluginOrigin,
    RiskAnswers,
    Site,
)
from loopcast.develop.course import Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.course import ForecastCourse, Plan
from loopcast.develop.forecast.hierarchy import BottomUp
from loopcast.develop.forecast.train import Trained, run_contest, train_on_all
from loopcast.develop.metrics import loopcast_metrics
from loopcast.settings import ForecastTable

from .contenders import Days, LastWeek

MELBOURNE = "Australia/Melbourne"


@pytest.fixture
def schema() -> ForecastSchema:
    return ForecastSchema(
        unit="MW",
        step="30min",
        timezone=MELBOURNE,
        resolutions=("30min", "1h", "1D"),
        sites={
            "city": Site(timezone=MELBOURNE, holidays="AU-VIC"),
            "desert": Site(timezone="Australia/Adelaide"),
        },
        series={"north": "city", "south": "city", "west": "desert"},
        aggregates={"coast": ("north", "south"), "total": ("coast", "west")},
        covariates={
            "temperature": Covariate(unit="°C", minimum=-20, maximum=60),
            "holiday": Covariate(kind="flag"),
        },
    )


@pytest.fixture
def table() -> pd.DataFrame:
    """Three series over the day on which clocks go forward, with one day of covariates more."""
    return long_table("2014-10-03", days=5, known_ahead=1)


def long_table(start: str, days: int, known_ahead: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    begin = pd.Timestamp(start, tz=MELBOURNE)
    end = begin + pd.DateOffset(days=days + known_ahead)
    actual_end = begin + pd.DateOffset(days=days)
    times = pd.date_range(begin, end, freq="30min", inclusive="left").tz_convert("UTC")
    frames = []
    for level, name in ((100.0, "north"), (200.0, "south"), (50.0, "west")):
        demand = level + 10 * np.sin(np.arange(len(times)) / 48 * 2 * np.pi)
        demand += rng.normal(0, 1, len(times))
        frames.append(
            pd.DataFrame(
                {
                    "stamp": times,
                    "region": name,
                    "demand": np.where(times < actual_end, demand, np.nan),
                    "temp": 15 + rng.normal(0, 3) + np.zeros(len(times)),
                    "hol": 0,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def forecast_table(**changes: Any) -> ForecastTable:
    columns = {
        "time": "stamp",
        "series": "region",
        "target": "demand",
        "covariates": {"temperature": "temp", "holiday": "hol"},
    }
    return ForecastTable(**(columns | changes))


@pytest.fixture
def panel(schema: ForecastSchema) -> ForecastData:
    """Ninety days of three regular series, with covariates a day longer."""
    return make_panel(schema, days=90)


def make_panel(schema: ForecastSchema, days: int) -> ForecastData:
    rng = np.random.default_rng(11)
    begin = pd.Timestamp("2014-08-01", tz=MELBOURNE)
    end = begin + pd.DateOffset(days=days)
    times = pd.date_range(begin, end, freq="30min", inclusive="left")
    longer = pd.date_range(begin, end + pd.DateOffset(days=1), freq="30min", inclusive="left")
    hour = times.hour + times.minute / 60
    shape = 1.0 + 0.3 * np.sin((hour - 6) / 24 * 2 * np.pi) + 0.05 * (times.day_of_week < 5)
    noise = rng.normal(0, 0.02, (len(times), 3))
    target = pd.DataFrame(
        np.asarray(shape)[:, None] * np.array([100.0, 200.0, 50.0]) * (1 + noise),
        index=times,
        columns=["north", "south", "west"],
    )
    temperature = pd.DataFrame(
        rng.normal(15, 4, (len(longer), 2)), index=longer, columns=["city", "desert"]
    )
    return ForecastData(
        target=target,
        covariates={"temperature": temperature, "holiday": temperature * 0.0},
        sites=schema.sites,
        site_of=schema.series,
        step="30min",
        timezone=MELBOURNE,
        horizon="1D",
        unit="MW",
    )


@pytest.fixture
def course(schema: ForecastSchema) -> ForecastCourse:
    return make_course(schema, LastWeek())


def make_course(schema: ForecastSchema, template: Any, **changes: Any) -> ForecastCourse:
    contender = Contender(label="candidate", template=template, hyperparameters=Days(days=7))
    yesterday = Contender(label="yesterday", template=LastWeek(), hyperparameters=Days(days=1))
    values: dict[str, Any] = {
        "logical_model": LogicalModel(
            name="demo",
            title="Demo",
            owner="tests",
            purpose="Test what training does.",
            kpi=Kpi(metric="mape"),
            schema=schema,
            risk=RiskAnswers(
                audience="internal",
                impact="minor",
                lifetime="weeks",
                reversibility="reversible",
                personal_data="none",
            ),
        ),
        "schema": schema,
        "candidate": contender,
        "baselines": (yesterday,),
        "origin": PluginOrigin(plugin="demo", package="loopcast", package_version="0"),
        "metrics": loopcast_metrics(),
        "reconciler": BottomUp(),
        "plan": Plan(origins=12, calibration=10, every=1, refit_every=8),
        "seed": 5,
    }
    return ForecastCourse(**(values | changes))


def train(course: ForecastCourse, data: ForecastData) -> Trained:
    """A model on all data, after its contest."""
    contest = run_contest(course, data, "ab" * 32, LocalEngine())
    return train_on_all(course, data, contest, LocalEngine())
