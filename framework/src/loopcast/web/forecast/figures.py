"""The forecast of each series as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats
from loopcast.web.charts import (
    Band,
    Line,
    LineChart,
    Range,
    time_axis,
    values_on,
)
from loopcast.web.forecast.values import INTERVAL, peak
from loopcast.web.page import Figure, Selector

if TYPE_CHECKING:
    from loopcast.web.forecast.report import ForecastReport

HALF = f"50{formats.NBSP}% interval"
SHOWN_DAYS = (1, 3, 7, 14)
FIRST_SHOWN = 3
DAY_SECONDS = 86_400


def forecast(report: ForecastReport, choice: Selector) -> list[Figure]:
    """Return each series' forecast with its intervals, after its recent actuals."""
    return [
        _forecast_figure(report, name, number, choice) for number, name in enumerate(report.series)
    ]


def _forecast_figure(
    report: ForecastReport, series: str, position: int, choice: Selector
) -> Figure:
    rows = report.rows(series, report.schema.step).set_index("time")
    past = _recent(report, series)
    index = pd.DatetimeIndex(past.index.append(rows.index))
    time, top = peak(report, series)
    unit = report.schema.unit
    ranges = _ranges(index, report.origin)
    return Figure(
        id=f"forecast-{position}",
        title=series if len(report.series) > 1 else "Forecast after recent actuals",
        alternative=(
            f"{formats.step_adjective(report.schema.step)} forecast of {series} with its 90 % "
            f"interval after recent actuals; peak {formats.quantity(top.value, unit)} at "
            f"{formats.moment(time)}"
        ),
        chart=LineChart(
            x=time_axis(index),
            title=report.logical_model.title,
            unit=unit,
            shown=_first_shown(ranges),
            lines=_forecast_lines(rows, past, index),
            bands=_forecast_bands(rows, index),
            marks=((_seconds(report.origin), "forecast"),),
            ranges=ranges,
            height=340,
        ),
        view=choice.view(series),
    )


def _recent(report: ForecastReport, series: str) -> pd.Series[float]:
    if series not in report.recent.columns:
        empty = pd.DatetimeIndex([], tz=report.schema.timezone)
        return pd.Series(index=empty, dtype="float64")
    past = report.recent[series].tz_convert(report.schema.timezone)
    return past.loc[past.index < report.origin]


def _forecast_lines(
    rows: pd.DataFrame, past: pd.Series[float], index: pd.DatetimeIndex
) -> tuple[Line, ...]:
    lines = [Line(label="forecast", role="model", values=values_on(rows["mean"], index))]
    if past.empty:
        return tuple(lines)
    lines.insert(0, Line(label="actual", role="actual", values=values_on(past, index)))
    week = _week_before(past, pd.DatetimeIndex(rows.index))
    if week.notna().any():
        lines.append(Line(label="a week before", role="reference", values=values_on(week, index)))
    return tuple(lines)


def _week_before(past: pd.Series[float], horizon: pd.DatetimeIndex) -> pd.Series[float]:
    # By wall time, so that a change of clocks in between does not move the day's shape.
    naive = pd.Series(
        past.to_numpy(), index=pd.DatetimeIndex(past.index).tz_localize(None) + pd.Timedelta("7D")
    )
    naive = naive.loc[~naive.index.duplicated()]
    return pd.Series(naive.reindex(horizon.tz_localize(None)).to_numpy(), index=horizon)


def _forecast_bands(rows: pd.DataFrame, index: pd.DatetimeIndex) -> tuple[Band, ...]:
    pairs = [(INTERVAL, "0.05", "0.95"), (HALF, "0.25", "0.75")]
    return tuple(
        Band(
            label=label,
            role="model",
            low=values_on(rows[low], index),
            high=values_on(rows[high], index),
        )
        for label, low, high in pairs
        if {low, high} <= set(rows.columns)
    )


def _seconds(time: pd.Timestamp) -> int:
    return int(time.timestamp())


def _ranges(index: pd.DatetimeIndex, origin: pd.Timestamp) -> tuple[Range, ...]:
    """The forecast and the last days before it."""
    first, last, start = _seconds(index[0]), _seconds(index[-1]), _seconds(origin)
    return tuple(
        Range(label=formats.days(days), start=max(start - days * DAY_SECONDS, first), end=last)
        for days in SHOWN_DAYS
        if start - (days - 1) * DAY_SECONDS > first
    )


def _first_shown(ranges: tuple[Range, ...]) -> int:
    return min(SHOWN_DAYS.index(FIRST_SHOWN), max(len(ranges) - 1, 0))
