"""Figures of a forecast's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api.schema import step_minutes
from loopcast.web import formats
from loopcast.web.charts import (
    Axis,
    Band,
    Dot,
    DotPlot,
    Line,
    LineChart,
    Range,
    compact,
    other_role,
    time_axis,
)
from loopcast.web.forecast_values import METRICS, kpi, metric_text, peak, subsets_of
from loopcast.web.page import Figure, Selector

if TYPE_CHECKING:
    from loopcast.web.report import ForecastReport

INTERVAL = f"90{formats.NBSP}% interval"
HALF = f"50{formats.NBSP}% interval"
SHOWN_DAYS = (1, 3, 7, 14)
FIRST_SHOWN = 3
STRIP_SHOWN = (7, 14)
STRIP_DAYS = 42
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
    lines = [Line(label="forecast", role="model", values=_on(rows["mean"], index))]
    if past.empty:
        return tuple(lines)
    lines.insert(0, Line(label="actual", role="actual", values=_on(past, index)))
    week = _week_before(past, pd.DatetimeIndex(rows.index))
    if week.notna().any():
        lines.append(Line(label="a week before", role="reference", values=_on(week, index)))
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
        Band(label=label, role="model", low=_on(rows[low], index), high=_on(rows[high], index))
        for label, low, high in pairs
        if {low, high} <= set(rows.columns)
    )


def _on(values: pd.Series[float], index: pd.DatetimeIndex) -> list[float | None]:
    return compact(values.reindex(index).to_numpy(dtype=float).tolist())


def _seconds(time: pd.Timestamp) -> int:
    return int(time.timestamp())


def _ranges(index: pd.DatetimeIndex, origin: pd.Timestamp) -> tuple[Range, ...]:
    """The forecast and the last days before it."""
    first, last, start = _seconds(index[0]), _seconds(index[-1]), _seconds(origin)
    return tuple(
        Range(label=_days(days), start=max(start - days * DAY_SECONDS, first), end=last)
        for days in SHOWN_DAYS
        if start - (days - 1) * DAY_SECONDS > first
    )


def _strip_ranges(index: pd.DatetimeIndex, days: int) -> tuple[Range, ...]:
    """The last days of a backtest, and all of it."""
    first, last = _seconds(index[0]), _seconds(index[-1])
    parts = [
        Range(label=_days(shown), start=last - shown * DAY_SECONDS, end=last)
        for shown in STRIP_SHOWN
        if shown < days
    ]
    return (*parts, Range(label=_days(days), start=first, end=last)) if parts else ()


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _first_shown(ranges: tuple[Range, ...]) -> int:
    return min(SHOWN_DAYS.index(FIRST_SHOWN), max(len(ranges) - 1, 0))


def contender_roles(report: ForecastReport) -> dict[str, str]:
    """Return the colour role of each contender, the version's first."""
    names = [evaluation.contender for evaluation in report.evaluations]
    names += [str(name) for name in report.errors.get("contender", pd.Series(dtype=str)).unique()]
    ordered = list(dict.fromkeys(names))
    return {name: "model" if i == 0 else other_role(i - 1) for i, name in enumerate(ordered)}


def _errors_of(report: ForecastReport, series: str) -> pd.DataFrame:
    if report.errors.empty:
        return report.errors
    own = report.errors["series"].eq(series) & report.errors["step"].eq(report.schema.step)
    errors = report.errors.loc[own]
    return errors.assign(time=pd.DatetimeIndex(errors["time"]).tz_convert(report.schema.timezone))


def errors_by_hour(report: ForecastReport, choice: Selector) -> list[Figure]:
    """Return each series' mean absolute error by local hour, a line for each contender."""
    if report.errors.empty or step_minutes(report.schema.step) > 60:
        return []
    return [
        _hour_figure(report, name, number, choice)
        for number, name in enumerate(report.series)
        if not _errors_of(report, name).empty
    ]


def _hour_figure(report: ForecastReport, series: str, position: int, choice: Selector) -> Figure:
    errors = _errors_of(report, series)
    size = (errors["actual"] - errors["mean"]).abs()
    table = size.groupby([errors["time"].dt.hour, errors["contender"]]).mean().unstack()
    roles = contender_roles(report)
    lines = [
        Line(label=name, role=role, values=compact(table[name].to_numpy(dtype=float).tolist()))
        for name, role in roles.items()
        if name in table.columns
    ]
    return Figure(
        id=f"hours-{position}",
        title="Error by hour of day" + (f": {series}" if len(report.series) > 1 else ""),
        chart=LineChart(
            x=Axis(values=[float(hour) for hour in table.index], kind="clock"),
            title="Mean absolute error",
            unit=report.schema.unit,
            lines=tuple(lines),
            zero=True,
            height=250,
        ),
        view=choice.view(series),
    )


def errors_by_day_type(report: ForecastReport) -> Figure | None:
    """Return the deciding metric of each contender by day type."""
    metric, roles = kpi(report), contender_roles(report)
    rows = []
    for name in subsets_of(report, "day_type"):
        measured = [
            (evaluation.contender, evaluation.value(metric, f"day_type={name}"))
            for evaluation in report.evaluations
        ]
        dots = tuple(
            Dot(
                role=roles[contender],
                label=contender,
                text=metric_text(report, metric, value),
                value=value,
            )
            for contender, value in measured
            if value is not None
        )
        rows.append((name, dots))
    if not rows:
        return None
    title = f"{METRICS.get(metric, metric)} by day type"
    largest = max((dot.value for _, dots in rows for dot in dots), default=0.0)
    ends = "0", metric_text(report, metric, largest)
    return Figure(
        id="day-types",
        title=title + (f": {report.series[0]}" if len(report.series) > 1 else ""),
        chart=DotPlot(rows=tuple(rows), ends=ends),
    )


def backtest(report: ForecastReport, choice: Selector) -> list[Figure]:
    """Return each series' actuals and the version's forecasts over the scored days."""
    if report.errors.empty:
        return []
    return [
        _strip(report, name, number, choice)
        for number, name in enumerate(report.series)
        if not _champion_errors(report, name).empty
    ]


def _champion_errors(report: ForecastReport, series: str) -> pd.DataFrame:
    errors = _errors_of(report, series)
    champion = next(iter(contender_roles(report)))
    errors = errors.loc[errors["contender"].eq(champion)].sort_values(["time", "lead"])
    return errors.drop_duplicates("time").set_index("time")


def _strip(report: ForecastReport, series: str, position: int, choice: Selector) -> Figure:
    errors = _champion_errors(report, series)
    days = pd.DatetimeIndex(errors.index).normalize().unique()[-STRIP_DAYS:]
    errors = errors.loc[errors.index >= days[0]]
    subject = f"{series}: forecasts" if len(report.series) > 1 else "Forecasts"
    return Figure(
        id=f"backtest-{position}",
        title=f"{subject} and actuals over the last {len(days)} scored days",
        text="Drag across days to look closer; a double click shows all of them again.",
        alternative=f"Forecasts of {series} and actuals over {len(days)} days of the backtest",
        chart=_strip_chart(report, errors, len(days)),
        view=choice.view(series),
    )


def _strip_chart(report: ForecastReport, errors: pd.DataFrame, days: int) -> LineChart:
    errors = _with_gaps(errors, pd.Timedelta(minutes=step_minutes(report.schema.step)))
    index = pd.DatetimeIndex(errors.index)
    ranges = _strip_ranges(index, days)
    return LineChart(
        x=time_axis(index),
        title=report.logical_model.title,
        unit=report.schema.unit,
        lines=(
            Line(label="actual", role="actual", values=_on(errors["actual"], index)),
            Line(label="forecast", role="model", values=_on(errors["mean"], index)),
        ),
        bands=(
            Band(
                label=INTERVAL,
                role="model",
                low=_on(errors["low"], index),
                high=_on(errors["high"], index),
            ),
        ),
        ranges=ranges,
        shown=max(len(ranges) - 1, 0),
    )


def _with_gaps(errors: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Add an empty row at the start of each gap, where lines must break."""
    index = pd.DatetimeIndex(errors.index)
    # A local day may be an hour longer than a step of one day.
    jumps = np.flatnonzero(np.diff(index.as_unit("s").asi8) > step.total_seconds() + 3600)
    return errors.reindex(index.union(index[jumps] + step))
