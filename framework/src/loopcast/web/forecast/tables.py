"""Tables of a forecast's report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.api.schema import step_minutes
from loopcast.web import formats
from loopcast.web.charts import sparkline
from loopcast.web.forecast.values import (
    INTERVAL,
    METRICS,
    NOMINAL,
    best_baseline,
    kpi,
    metric_text,
    peak,
    subsets_of,
    total_noun,
    total_unit,
    whole,
)
from loopcast.web.page import Cell, Selector, Table, cells, mark_best

if TYPE_CHECKING:
    from loopcast.web.forecast.report import ForecastReport

DAY_MINUTES = 1440
ROWS_IN_COLUMN = 13


def accuracy(report: ForecastReport) -> Table | None:
    """Return the version against its baselines, the best of each metric marked."""
    if not report.evaluations:
        return None
    columns = [[Cell(text=evaluation.contender) for evaluation in report.evaluations]]
    columns += [_metric_column(report, metric) for metric in METRICS]
    columns.append(_coverage_column(report))
    columns.append(_gain_column(report))
    unit = report.schema.unit
    titles = [
        f"{label}, {unit}" if unit and name != "mape" else label for name, label in METRICS.items()
    ]
    name = METRICS.get(kpi(report), kpi(report))
    return Table(
        caption="The version in the first row, baselines below; a dot marks the best of a column.",
        columns=("", *titles, f"coverage of 90{formats.NBSP}%", f"{name} against version"),
        rows=tuple(zip(*columns, strict=True)),
        emphasis=(0,),
    )


def _metric_column(report: ForecastReport, metric: str) -> list[Cell]:
    values = [evaluation.value(metric) for evaluation in report.evaluations]
    places = formats.decimals(values)
    if metric == "mape":
        texts = [metric_text(report, metric, value) for value in values]
    else:
        texts = [formats.number(value, places) for value in values]
    return mark_best(texts, values)


def _coverage_column(report: ForecastReport) -> list[Cell]:
    values = [evaluation.value("coverage") for evaluation in report.evaluations]
    misses = [None if value is None else round(abs(value - NOMINAL), 6) for value in values]
    return mark_best([formats.percent(value) for value in values], misses)


def _gain_column(report: ForecastReport) -> list[Cell]:
    metric = kpi(report)
    values = [evaluation.value(metric) for evaluation in report.evaluations]
    own = values[0]
    texts = ["" if own is None or not own else _signed(value, own) for value in values]
    return [Cell(text=text) for text in ["", *texts[1:]]]


def _signed(value: float | None, own: float) -> str:
    if value is None:
        return formats.MISSING
    text = formats.percent(value / own - 1, 0)
    return f"+{text}" if value > own else text


def overview(report: ForecastReport) -> Table | None:
    """Return one row for each series, where there are several."""
    if len(report.series) < 2:
        return None
    unit, totals = report.schema.unit, [whole(report, name) for name in report.series]
    peaks = [peak(report, name) for name in report.series]
    peak_places = formats.decimals([top.value for _, top in peaks])
    places = formats.decimals([amount.value for amount in totals])
    rows = tuple(
        (
            Cell(text=name),
            Cell(text="", spark=sparkline(_means(report, name))),
            *cells(
                formats.number(top.value, peak_places),
                formats.clock(time),
                formats.number(amount.value, places),
                formats.interval(amount.low, amount.high, places=places)
                if amount.low is not None
                else formats.MISSING,
                *_series_accuracy(report, name),
            ),
        )
        for name, (time, top), amount in zip(report.series, peaks, totals, strict=True)
    )
    amount_title = f"{total_noun(report)}, {total_unit(report)}".rstrip(", ")
    return Table(
        caption="Every series; those that sum others come first.",
        columns=(
            "",
            "shape",
            f"peak, {unit}".rstrip(", "),
            "at",
            amount_title,
            INTERVAL,
            METRICS.get(kpi(report), kpi(report)),
            "best baseline",
        ),
        rows=rows,
        emphasis=tuple(
            i for i, name in enumerate(report.series) if name in report.schema.aggregates
        ),
    )


def _means(report: ForecastReport, series: str) -> list[float]:
    return [float(value) for value in report.rows(series, report.schema.step)["mean"]]


def _series_accuracy(report: ForecastReport, series: str) -> tuple[str, str]:
    metric, subset = kpi(report), f"series={series}"
    own = report.champion.value(metric, subset) if report.champion else None
    rival = best_baseline(report, metric, subset)
    return (
        metric_text(report, metric, own),
        metric_text(report, metric, rival[1] if rival else None),
    )


def levels(report: ForecastReport, choice: Selector) -> list[tuple[str, list[list[Table]]]]:
    """Return for each step, the coarsest first, its title and each series' tables.

    A long table is cut into columns.
    """
    return [
        (
            _level_title(report, step),
            [_series_level(report, name, step, choice) for name in report.series],
        )
        for step in reversed(report.steps)
    ]


def _level_title(report: ForecastReport, step: str) -> str:
    kind = "mean" if report.schema.over_time == "mean" else "sum"
    title = f"Every {formats.step_noun(step)}: {kind}"
    return f"{title}, {report.schema.unit}" if report.schema.unit else title


def _series_level(report: ForecastReport, series: str, step: str, choice: Selector) -> list[Table]:
    rows = report.rows(series, step)
    places = formats.decimals([float(rows["0.95"].max())])
    names = _row_names(pd.DatetimeIndex(rows["time"]), step)
    with_total = step_minutes(step) >= DAY_MINUTES and report.schema.over_time == "mean"
    columns = ["day" if step_minutes(step) >= DAY_MINUTES else "from", "mean", INTERVAL]
    if with_total:
        columns += [f"{total_noun(report)}, {total_unit(report)}", INTERVAL]
    records = rows[["mean", "0.05", "0.95", "total"]].astype(float).to_numpy().tolist()
    body = [
        cells(name, *_values(record, places, with_total=with_total))
        for name, record in zip(names, records, strict=True)
    ]
    size = math.ceil(len(body) / math.ceil(len(body) / ROWS_IN_COLUMN))
    return [
        Table(
            caption=_caption(report, series, names, start, size),
            columns=tuple(columns),
            rows=tuple(body[start : start + size]),
            view=choice.view(series),
        )
        for start in range(0, len(body), size)
    ]


def _caption(report: ForecastReport, series: str, names: list[str], start: int, size: int) -> str:
    subject = series if len(report.series) > 1 else report.logical_model.title
    last = names[min(start + size, len(names)) - 1]
    return f"{subject}, {names[start]} to {last}" if size < len(names) else subject


def _values(record: list[float], places: int, *, with_total: bool) -> list[str]:
    mean, low, high, total = record
    texts = [formats.number(mean, places), formats.interval(low, high, places=places)]
    if not with_total:
        return texts
    hours = total / mean if mean else math.nan
    digits = formats.decimals([high * hours])
    return [
        *texts,
        formats.number(total, digits),
        formats.interval(low * hours, high * hours, places=digits),
    ]


def _row_names(times: pd.DatetimeIndex, step: str) -> list[str]:
    if step_minutes(step) >= DAY_MINUTES:
        return [formats.day(time) for time in times]
    # A day on which clocks change has an hour twice; only its zone tells them apart.
    zoned = len({time.utcoffset() for time in times}) > 1
    several = times.normalize().nunique() > 1
    return [
        (f"{time:%a} {time.day} " if several else "") + formats.clock(time, zone=zoned)
        for time in times
    ]


def subsets(report: ForecastReport) -> list[tuple[str, Table]]:
    """Return, for each attribute that was evaluated by, a table of the deciding metric."""
    metrics = report.champion.metrics if report.champion else ()
    attributes = dict.fromkeys(m.subset.partition("=")[0] for m in metrics if m.subset)
    return [
        (name.replace("_", " "), _subset_table(report, name))
        for name in attributes
        if len(subsets_of(report, name)) > 1
    ]


def _subset_table(report: ForecastReport, attribute: str) -> Table:
    metric = kpi(report)
    rows = []
    for value in subsets_of(report, attribute):
        subset = f"{attribute}={value}"
        measured = [evaluation.value(metric, subset) for evaluation in report.evaluations]
        texts = [metric_text(report, metric, number) for number in measured]
        coverage = report.evaluations[0].value("coverage", subset)
        rows.append(
            (
                Cell(text=value),
                *cells(formats.number(_count(report, subset), 0)),
                *mark_best(texts, measured),
                Cell(text=formats.percent(coverage)),
            )
        )
    contenders = tuple(evaluation.contender for evaluation in report.evaluations)
    label = attribute.replace("_", " ")
    return Table(
        caption=f"{METRICS.get(metric, metric)} by {label}, and the version's coverage.",
        columns=(label, "values", *contenders, "coverage"),
        rows=tuple(rows),
    )


def _count(report: ForecastReport, subset: str) -> float:
    counts = [m.count for m in report.evaluations[0].metrics if m.subset == subset]
    return float(max(counts, default=0))
