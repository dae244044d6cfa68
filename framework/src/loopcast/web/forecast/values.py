"""Numbers read out of a forecast's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats

if TYPE_CHECKING:
    from loopcast.api import Evaluation
    from loopcast.web.forecast.report import ForecastReport

NOMINAL = 0.9
INTERVAL = f"90{formats.NBSP}% interval"
METRICS = {"mape": "MAPE", "rmse": "RMSE", "mae": "MAE", "pinball": "pinball loss"}


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A value with its 90 % interval, where it has one."""

    value: float
    low: float | None
    high: float | None


def total_unit(report: ForecastReport) -> str:
    """Return the unit of the amount over an interval: GWh for a target in GW."""
    unit = report.schema.unit
    if report.schema.over_time == "sum" or not unit:
        return unit
    return f"{unit}h" if unit.endswith("W") else f"{unit}·h"


def total_noun(report: ForecastReport) -> str:
    """Return what the amount over an interval is called."""
    rate = report.schema.over_time == "mean" and report.schema.unit.endswith("W")
    return "energy" if rate else "total"


def peak(report: ForecastReport, series: str) -> tuple[pd.Timestamp, Amount]:
    """Return when a series' highest mean is expected, and how much."""
    rows = report.rows(series, report.schema.step)
    top = rows.iloc[int(rows["mean"].to_numpy().argmax())]
    amount = Amount(value=float(top["mean"]), low=float(top["0.05"]), high=float(top["0.95"]))
    return pd.Timestamp(top["time"]), amount


def whole(report: ForecastReport, series: str) -> Amount:
    """Return a series' amount over the horizon.

    It has an interval where the coarsest step spans the horizon: those of parts do not add up.
    """
    rows = report.rows(series, report.steps[-1])
    value = float(rows["total"].sum())
    mean = float(rows["mean"].iloc[0])
    if len(rows) != 1 or mean == 0.0:
        return Amount(value=value, low=None, high=None)
    hours = value / mean
    low, high = (float(rows[level].iloc[0]) * hours for level in ("0.05", "0.95"))
    return Amount(value=value, low=low, high=high)


def metric_text(report: ForecastReport, metric: str, value: float | None) -> str:
    """Return a metric's value with its unit."""
    if metric == "mape":
        return formats.quantity(value, "%", 2)
    if metric == "coverage":
        return formats.percent(value)
    return formats.quantity(value, report.schema.unit)


def kpi(report: ForecastReport) -> str:
    """Return the metric that decides: the logical model's, or MAPE where it was not measured."""
    metric = report.logical_model.kpi.metric
    known = report.champion is not None and report.champion.value(metric) is not None
    return metric if known else "mape"


def judged_on(report: ForecastReport) -> str:
    """Return what the overall value of a metric is about: the top, or all series without one."""
    if len(report.series) == 1:
        return ""
    if len(report.heads) == 1:
        return report.heads[0]
    return "all totals" if report.heads else "all series"


def best_baseline(
    report: ForecastReport, metric: str, subset: str = ""
) -> tuple[Evaluation, float] | None:
    """Return the baseline with the best value of a metric, and that value."""
    decides = report.logical_model.kpi
    higher = metric == decides.metric and decides.direction == "higher"
    values = [
        (evaluation, value)
        for evaluation in report.baselines
        if (value := evaluation.value(metric, subset)) is not None
    ]
    best = max if higher else min
    return best(values, key=lambda pair: pair[1]) if values else None


def subsets_of(report: ForecastReport, attribute: str) -> list[str]:
    """Return the values of an attribute that the version was evaluated by, in order."""
    metrics = report.champion.metrics if report.champion else ()
    prefix = f"{attribute}="
    return list(
        dict.fromkeys(m.subset.removeprefix(prefix) for m in metrics if m.subset.startswith(prefix))
    )
