"""Figures of how good the forecasts were: errors by hour and day type, and the scored days."""

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
    day_segments,
    other_role,
    time_axis,
    values_on,
)
from loopcast.web.forecast.values import (
    INTERVAL,
    METRICS,
    judged_on,
    kpi,
    metric_text,
    subsets_of,
)
from loopcast.web.page import Figure, Selector

if TYPE_CHECKING:
    from loopcast.web.forecast.report import ForecastReport

STRIP_SHOWN = (7, 14)
STRIP_DAYS = 42
DAY_SECONDS = 86_400


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
    title, subject = f"{METRICS.get(metric, metric)} by day type", judged_on(report)
    largest = max((dot.value for _, dots in rows for dot in dots), default=0.0)
    ends = "0", metric_text(report, metric, largest)
    return Figure(
        id="day-types",
        title=f"{title}: {subject}" if subject else title,
        chart=DotPlot(rows=tuple(rows), ends=ends),
    )


def strips(report: ForecastReport, choice: Selector) -> list[Figure]:
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
    scored = pd.DatetimeIndex(errors.index).normalize().unique()
    days = scored[-STRIP_DAYS:]
    subject = f"{series}: forecasts" if len(report.series) > 1 else "Forecasts"
    part = f"last {len(days)} of {len(scored)}" if len(days) < len(scored) else str(len(days))
    return Figure(
        id=f"backtest-{position}",
        title=f"{subject} and actuals over the {part} scored days",
        text=f"{_cadence(days)} Drag across to look closer; a double click shows all again.",
        alternative=f"Forecasts of {series} and actuals in the backtest. {_cadence(days)}",
        chart=_strip_chart(report, errors.loc[errors.index >= days[0]], days),
        view=choice.view(series),
    )


def _cadence(days: pd.DatetimeIndex) -> str:
    """Say how far apart the scored days are: ``28 days, one every 3 days, ...``."""
    apart = set(np.diff(days.tz_localize(None).as_unit("s").asi8) // DAY_SECONDS)
    count = formats.days(len(days))
    if apart <= {1}:
        return f"{count} in a row."
    every = f"one every {apart.pop()} days" if len(apart) == 1 else "not all in a row"
    return f"{count}, {every}, drawn side by side."


def _strip_chart(report: ForecastReport, errors: pd.DataFrame, days: pd.DatetimeIndex) -> LineChart:
    errors = _with_gaps(errors, pd.Timedelta(minutes=step_minutes(report.schema.step)))
    index = pd.DatetimeIndex(errors.index)
    x = time_axis(index, day_segments(days))
    ranges = _strip_ranges(x, days)
    return LineChart(
        x=x,
        title=report.logical_model.title,
        unit=report.schema.unit,
        lines=(
            Line(label="actual", role="actual", values=values_on(errors["actual"], index)),
            Line(label="forecast", role="model", values=values_on(errors["mean"], index)),
        ),
        bands=(
            Band(
                label=INTERVAL,
                role="model",
                low=values_on(errors["low"], index),
                high=values_on(errors["high"], index),
            ),
        ),
        ranges=ranges,
        shown=max(len(ranges) - 1, 0),
    )


def _strip_ranges(x: Axis, days: pd.DatetimeIndex) -> tuple[Range, ...]:
    """The last scored days of a backtest, and all of them, where they are drawn."""
    starts = [segment.start for segment in x.segments] or [int(d.timestamp()) for d in days]
    times = [segment.time for segment in x.segments] or starts
    end = starts[-1] + int(x.values[-1] or 0) - times[-1]
    counts = [shown for shown in STRIP_SHOWN if shown < len(days)]
    return tuple(
        Range(label=formats.days(count), start=starts[-count], end=end)
        for count in ([*counts, len(days)] if counts else [])
    )


def _with_gaps(errors: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Add an empty row at the start of each gap, where lines must break."""
    index = pd.DatetimeIndex(errors.index)
    # A local day may be an hour longer than a step of one day.
    jumps = np.flatnonzero(np.diff(index.as_unit("s").asi8) > step.total_seconds() + 3600)
    return errors.reindex(index.union(index[jumps] + step))
