"""How far forecasts of electricity demand are off, beside LightGBM with the same information.

    python tests/benchmarks/bench_accuracy.py --scale 0.1

Half-hourly demand of Victoria (2012–2014), and of the five regions of the Australian market
(2010–2014) and their sum, with realised temperature. Templates have their default configuration.

* Year ahead: trained until the end of 2013, all of 2014 at once.
* Day ahead: 60 local midnights, 48 half-hours each. For Victoria from 2 November to 31 December,
  trained until the first; for the market every sixth day of 2014, trained until the end of 2013.
* Intervals of the day ahead for Victoria: seven quantiles, each day's from the errors of the 28
  days before it. Those of October come from a model trained until they begin.

`ratio` is a contender's percentage error over that of LightGBM (`rival.py`). A smaller scale takes
fewer regions and origins.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ.pop("OPENBLAS_CORETYPE", None)  # one that does not fit the machine slows it down
    os.environ.pop("OPENBLAS_L2_SIZE", None)

import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rival import fit_rival  # type: ignore[import-not-found]  # beside this file

from loopcast.api import FitContext, ForecastData, Forecaster, LoopcastError, Site, Template
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.backtest import Predictions
from loopcast.develop.forecast.horizon import horizon_index, slots
from loopcast.develop.forecast.intervals import LEVELS, calibrate
from loopcast_forecasting.templates.gam_arima import GamArima
from loopcast_forecasting.templates.gam_boosted import GamBoosted
from loopcast_forecasting.templates.gam_ridge import GamRidge

Row = dict[str, Any]
Floats = NDArray[np.float64]

DATA = Path(__file__).resolve().parents[3] / "shared/data"
SITES = {
    "NSW": Site(timezone="Australia/Sydney", holidays="AU-NSW"),
    "QLD": Site(timezone="Australia/Brisbane", holidays="AU-QLD"),
    "SA": Site(timezone="Australia/Adelaide", holidays="AU-SA"),
    "TAS": Site(timezone="Australia/Hobart", holidays="AU-TAS"),
    "VIC": Site(timezone="Australia/Melbourne", holidays="AU-VIC"),
}
TEMPLATES: dict[str, Template[ForecastData, Forecaster]] = {
    "gam_arima": GamArima(),
    "gam_ridge": GamRidge(),
    "gam_boosted": GamBoosted(),
}
RIVAL = "LightGBM"
ORIGINS, CALIBRATION = 60, 28
QUANTILES = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
CONTEXT = FitContext(seed=0, engine=LocalEngine())


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A demand, and what is asked of the day ahead: trained until when, forecast from where."""

    name: str
    data: ForecastData
    trained_until: pd.Timestamp
    origins: tuple[pd.Timestamp, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What a contender forecast for a case, what came, and the CPU time of its fit."""

    case: str
    task: str
    contender: str
    actual: Floats
    mean: Floats
    cpu_s: float


def run(scale: float) -> list[Row]:
    """Measure every contender on Victoria, then on the regions of the market."""
    if not DATA.exists():
        return [{"case": f"left out: no data in {DATA}"}]
    origins = max(6, round(ORIGINS * scale))
    names = list(SITES)[-max(1, round(len(SITES) * scale)) :]
    victoria, market = _victoria(origins), [_region(name, origins) for name in names]
    found = [result for case in (victoria, *market) for result in _results(case)]
    if len(market) == len(SITES):
        found += _totals([each for each in found if each.case in SITES])
    return [*_rows(found), *_interval_rows(victoria)]


def _victoria(origins: int) -> Case:
    table = pd.read_csv(DATA / "vic_elec/vic_elec.csv.gz")
    data = _panel("Victoria", table, SITES["VIC"], "Australia/Melbourne")
    first = pd.Timestamp("2014-11-02", tz=data.timezone)
    days = tuple(first + pd.DateOffset(days=k * ORIGINS // origins) for k in range(origins))
    return Case(name="Victoria", data=data, trained_until=first, origins=days)


def _region(name: str, origins: int) -> Case:
    table = pd.read_parquet(DATA / "nem_hierarchy/nem_halfhourly_long.parquet")
    of_region = table[table["region"] == name].sort_values("ts_utc")
    data = _panel(name, of_region, SITES[name], "Australia/Brisbane")
    start = pd.Timestamp("2014-01-01", tz=data.timezone)
    apart = 6 * ORIGINS // origins
    days = tuple(start + pd.DateOffset(days=2 + k * apart) for k in range(origins))
    return Case(name=name, data=data, trained_until=start, origins=days)


def _panel(name: str, table: pd.DataFrame, site: Site, timezone: str) -> ForecastData:
    times = pd.DatetimeIndex(pd.to_datetime(table["ts_utc"], utc=True)).tz_convert(timezone)

    def column(source: str, header: str) -> pd.DataFrame:
        return pd.DataFrame({header: table[source].to_numpy(np.float64)}, index=times)

    return ForecastData(
        target=column("demand_mw", name),
        covariates={
            "temperature": column("temp_c", "site"),
            "holiday": column("is_holiday", "site"),
        },
        sites={"site": site},
        site_of={name: "site"},
        step="30min",
        timezone=timezone,
        unit="MW",
    )


def _results(case: Case) -> Iterator[Result]:
    """Yield what each contender forecasts, a year ahead and a day ahead."""
    data = case.data
    start = pd.Timestamp("2014-01-01", tz=data.timezone)
    year = data.times[data.times >= start]
    tasks = {"year ahead": (start, [year]), "day ahead": (case.trained_until, _days(case))}
    for contender in (*TEMPLATES, RIVAL):
        models: dict[object, tuple[Forecaster, float]] = {}
        for task, (trained_until, horizons) in tasks.items():
            key = (trained_until, task if contender == RIVAL else "")
            if key not in models:
                began = time.process_time()
                model = _fit(contender, data.until(trained_until, trained_until), task)
                models[key] = model, time.process_time() - began
            model, cpu_s = models[key]
            mean = [_predict(model, data, horizon) for horizon in horizons]
            yield Result(
                case=case.name,
                task=task,
                contender=contender,
                actual=_actual(data, horizons),
                mean=np.concatenate(mean),
                cpu_s=cpu_s,
            )


def _days(case: Case) -> list[pd.DatetimeIndex]:
    return [horizon_index(origin, "1D", case.data.step) for origin in case.origins]


def _fit(contender: str, data: ForecastData, task: str) -> Forecaster:
    if contender == RIVAL:
        rival: Forecaster = fit_rival(data, lagged=task == "day ahead")
        return rival
    template = TEMPLATES[contender]
    ((_, model),) = template.fit({"": data}, template.hyperparameters(), CONTEXT)
    if isinstance(model, LoopcastError):
        raise model
    return model


def _predict(model: Forecaster, data: ForecastData, horizon: pd.DatetimeIndex) -> Floats:
    known = data.until(horizon[0], horizon[-1] + pd.Timedelta(data.step))
    return model.predict(known, horizon).mean[:, 0]


def _actual(data: ForecastData, horizons: Sequence[pd.DatetimeIndex]) -> Floats:
    times = pd.DatetimeIndex(horizons[0][:0].append(list(horizons)))
    return data.target.loc[times].to_numpy(np.float64)[:, 0]


def _totals(results: Sequence[Result]) -> Iterator[Result]:
    """Yield the sums of the regions, whose origins and horizons are the same."""
    for task, contender in dict.fromkeys((each.task, each.contender) for each in results):
        parts = [r for r in results if (r.task, r.contender) == (task, contender)]
        yield Result(
            case="market",
            task=task,
            contender=contender,
            actual=np.sum([part.actual for part in parts], axis=0),
            mean=np.sum([part.mean for part in parts], axis=0),
            cpu_s=sum(part.cpu_s for part in parts),
        )


def _rows(results: Sequence[Result]) -> list[Row]:
    error = {(r.case, r.task, r.contender): _mape(r.actual, r.mean) for r in results}
    return [
        {
            "case": each.case,
            "task": each.task,
            "contender": each.contender,
            "mape": error[each.case, each.task, each.contender],
            "ratio": error[each.case, each.task, each.contender]
            / error[each.case, each.task, RIVAL],
            "rmse_mw": float(np.sqrt(np.mean((each.mean - each.actual) ** 2))),
            "cpu_s": each.cpu_s,
        }
        for each in results
    ]


def _mape(actual: Floats, mean: Floats) -> float:
    return float(100 * np.mean(np.abs(mean / actual - 1)))


def _interval_rows(case: Case) -> list[Row]:
    return [_interval_row(case, contender) for contender in ("gam_ridge", "gam_boosted", RIVAL)]


def _interval_row(case: Case, contender: str) -> Row:
    """Score quantiles of a day ahead, from the errors of the days before each."""
    data, first = case.data, case.trained_until
    last = case.origins[-1]
    warm_up = first - pd.DateOffset(days=CALIBRATION)
    blocks = {
        warm_up: [warm_up + pd.DateOffset(days=k) for k in range(CALIBRATION)],
        first: [first + pd.DateOffset(days=k) for k in range((last - first).days + 1)],
    }
    origins = [origin for block in blocks.values() for origin in block]
    horizons = [horizon_index(origin, "1D", data.step) for origin in origins]
    fitted = [_fit(contender, data.until(start, start), "day ahead") for start in blocks]
    models = [fitted[int(origin >= first)] for origin in origins]
    means = [_predict(m, data, horizon) for m, horizon in zip(models, horizons, strict=True)]
    predictions = Predictions(
        step=data.step,
        series=data.series,
        times=pd.DatetimeIndex(horizons[0][:0].append(horizons)),
        origin=np.repeat(np.arange(len(origins)), [len(h) for h in horizons]),
        slot=np.concatenate(
            [slots(h, o, data.step) for h, o in zip(horizons, origins, strict=True)]
        ),
        actual=_actual(data, horizons)[:, None],
        mean=np.concatenate(means)[:, None],
    )
    coverage, pinball = _score_quantiles(predictions)
    return {
        "case": case.name,
        "task": "intervals of the day ahead",
        "contender": contender,
        "coverage_90": coverage,
        "pinball_mw": pinball,
    }


def _score_quantiles(predictions: Predictions) -> tuple[float, float]:
    """Return the coverage of 90 % intervals and the mean pinball loss of the quantiles."""
    chosen = [LEVELS.index(level) for level in QUANTILES]
    inside, losses = [], []
    for day in range(CALIBRATION, int(predictions.origin.max()) + 1):
        rows = predictions.origin == day
        intervals = calibrate(predictions, "1D", slice(day - CALIBRATION, day))
        quantiles = intervals.around(
            predictions.mean[rows], predictions.slot[rows], nonnegative=True
        )[:, 0, chosen]
        over = predictions.actual[rows] - quantiles
        losses.append(np.maximum(over * QUANTILES, over * (np.array(QUANTILES) - 1)).mean())
        inside.append(((over[:, 0] >= 0) & (over[:, -1] <= 0)).mean())
    return float(np.mean(inside)), float(np.mean(losses))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    for line in run(parser.parse_args().scale):
        print(json.dumps(line))
