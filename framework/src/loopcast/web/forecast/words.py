"""Sentences and key figures of a forecast's report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats
from loopcast.web.forecast.values import (
    METRICS,
    Amount,
    best_baseline,
    judged_on,
    kpi,
    metric_text,
    peak,
    subsets_of,
    total_noun,
    total_unit,
    whole,
)
from loopcast.web.page import Finding, KeyFigure

if TYPE_CHECKING:
    from loopcast.web.forecast.report import ForecastReport

CALIBRATED = (0.85, 0.95)
COHERENT = 1e-9
EXACT = 1e-12
HEADLINE_DIGITS = 3


def title(report: ForecastReport) -> str:
    """Return what is forecast for which days."""
    return f"{report.logical_model.title}: forecast for {_period(report)}"


def headline(report: ForecastReport) -> str:
    """Return the forecast in one sentence."""
    series = report.series[0]
    time, top = peak(report, series)
    amount, unit = whole(report, series), total_unit(report)
    single_day = report.schema.horizon == "1D"
    at = formats.clock(time, zone=True) if single_day else formats.moment(time)
    subject = f"{series}: the" if len(report.series) > 1 else "The"
    return (
        f"{subject} peak is expected at {at} with {_rounded(top.value, report.schema.unit)}"
        f"{_range(top, report.schema.unit)}; the {_horizon_noun(report)} "
        f"{'adds' if single_day else 'add'} up to {_rounded(amount.value, unit)}"
        f"{_range(amount, unit)}."
    )


def findings(report: ForecastReport) -> list[Finding]:
    """Return what speaks for and against trusting the forecast."""
    found = [_against_baselines(report), _coverage(report), _coherence(report)]
    found += _weak_day_types(report)
    found += [Finding(verdict="open", text=_readable(report, note)) for note in report.notes]
    return [finding for finding in found if finding is not None]


def _readable(report: ForecastReport, note: str) -> str:
    """Return a note with the names of covariates as people write them."""
    for name in report.schema.covariates:
        note = re.sub(rf"\b{re.escape(name)}\b", name.replace("_", " "), note)
    return note


def _rounded(value: float, unit: str) -> str:
    factor, unit = formats.readable_unit(value, unit)
    return formats.quantity(
        value * factor, unit, formats.decimals([value * factor], HEADLINE_DIGITS)
    )


def _range(amount: Amount, unit: str) -> str:
    if amount.low is None or amount.high is None:
        return ""
    factor, unit = formats.readable_unit(amount.value, unit)
    places = formats.decimals([amount.value * factor], HEADLINE_DIGITS)
    return f" ({formats.interval(amount.low * factor, amount.high * factor, unit, places)})"


def _period(report: ForecastReport) -> str:
    times = report.rows(report.series[0], report.schema.step)["time"]
    first, last = pd.Timestamp(times.iloc[0]), pd.Timestamp(times.iloc[-1])
    if first.date() == last.date():
        return formats.day(first)
    return f"{formats.day(first)} to {formats.day(last)}"


def byline(report: ForecastReport) -> str:
    """Return who made the forecast, from what, and how to read it."""
    return (
        f"Made by version {report.version.id} ({report.version.template}, {report.stage}) from "
        f"actuals before {formats.moment(report.origin)}. Times are local: "
        f"{formats.zone(report.origin)}. Ranges in brackets are 90{formats.NBSP}% intervals."
    )


def key_figures(report: ForecastReport) -> list[KeyFigure]:
    """Return the numbers to take along, of the first series in reading order."""
    series = report.series[0]
    time, top = peak(report, series)
    amount = whole(report, series)
    unit = report.schema.unit
    figures = [
        KeyFigure(
            label=f"Peak, {formats.clock(time, zone=True)}",
            value=_rounded(top.value, unit),
            detail=_range(top, unit).strip(" ()"),
        ),
        KeyFigure(
            label=f"{total_noun(report).capitalize()} of the {_horizon_noun(report)}",
            value=_rounded(amount.value, total_unit(report)),
            detail=_range(amount, total_unit(report)).strip(" ()"),
        ),
    ]
    return figures + _accuracy_figures(report)


def _horizon_noun(report: ForecastReport) -> str:
    days = int(report.schema.horizon[:-1])
    return "day" if days == 1 else f"{days} days"


def _accuracy_figures(report: ForecastReport) -> list[KeyFigure]:
    if report.champion is None:
        return []
    metric = kpi(report)
    rival = best_baseline(report, metric)
    coverage = report.champion.value("coverage")
    versus = (
        f"{metric_text(report, metric, rival[1])} {rival[0].contender}" if rival else "no baseline"
    )
    subject = f", {judged_on(report)}" if judged_on(report) else ""
    return [
        KeyFigure(
            label=f"{METRICS.get(metric, metric)} in the backtest{subject}",
            value=metric_text(report, metric, report.champion.value(metric)),
            detail=f"best baseline: {versus}" if rival else versus,
        ),
        KeyFigure(
            label=f"Coverage of 90{formats.NBSP}% intervals",
            value=formats.percent(coverage),
            detail="in the backtest",
        ),
    ]


def _against_baselines(report: ForecastReport) -> Finding | None:
    metric = kpi(report)
    rival = best_baseline(report, metric)
    value = report.champion.value(metric) if report.champion else None
    if rival is None or value is None:
        return None
    better = report.logical_model.kpi.better(value, rival[1])
    name = METRICS.get(metric, metric)
    return Finding(
        verdict="good" if better else "bad",
        text=(
            f"It {'beats' if better else 'does not beat'} every baseline: its {name} is "
            f"{metric_text(report, metric, value)}, that of {rival[0].contender}, the best "
            f"baseline, {metric_text(report, metric, rival[1])}{_change(value, rival[1])}."
        ),
    )


def _change(value: float, rival: float) -> str:
    if rival in (0.0, value):
        return ""
    direction = "lower" if value < rival else "higher"
    return f" ({formats.percent(abs(1 - value / rival), 0)} {direction})"


def _coverage(report: ForecastReport) -> Finding | None:
    value = report.champion.value("coverage") if report.champion else None
    if value is None:
        return None
    low, high = CALIBRATED
    verdict = "can be trusted" if low <= value <= high else "are too narrow"
    verdict = "are too wide" if value > high else verdict
    return Finding(
        verdict="good" if low <= value <= high else "bad",
        text=(
            f"The 90{formats.NBSP}% intervals {verdict}: they held {formats.percent(value)} of the "
            f"actuals in the backtest."
        ),
    )


def _coherence(report: ForecastReport) -> Finding | None:
    if len(report.steps) == 1 and not report.schema.aggregates:
        return None
    parts = [f"{formats.step_noun(step)}s" for step in report.steps]
    if report.schema.aggregates:
        parts.append("series")
    listed = ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]
    return Finding(
        verdict="good" if report.coherence_error < COHERENT else "bad",
        text=f"Forecasts of {listed} {_sums(report.coherence_error)}.",
    )


def _sums(error: float) -> str:
    """Say whether forecasts add up, given the largest relative difference."""
    largest = f"largest relative difference {formats.scientific(error)}" if error else ""
    if error < EXACT:
        return "add up exactly" + (f" ({largest})" if largest else "")
    return f"{'add up' if error < COHERENT else 'do not add up'} ({largest})"


def _weak_day_types(report: ForecastReport) -> list[Finding]:
    metric = kpi(report)
    found = []
    for name in subsets_of(report, "day_type"):
        subset = f"day_type={name}"
        rival = best_baseline(report, metric, subset)
        value = report.champion.value(metric, subset) if report.champion else None
        if rival is None or value is None:
            continue
        if report.logical_model.kpi.better(rival[1], value):
            found.append(
                Finding(
                    verdict="open",
                    text=(
                        f"On days of type {name}, {rival[0].contender} was better: "
                        f"{metric_text(report, metric, rival[1])} against "
                        f"{metric_text(report, metric, value)}."
                    ),
                )
            )
    return found


def day_length(report: ForecastReport) -> str:
    """Say which days do not have 24 hours; empty where all do."""
    times = pd.DatetimeIndex(report.rows(report.series[0], report.schema.step)["time"])
    unusual = []
    for first in times[times == times.normalize()]:
        hours = (first + pd.DateOffset(days=1) - first).total_seconds() / 3600
        if hours != 24:
            turn = "forward" if hours < 24 else "back"
            unusual.append(f"{formats.day(first)} has {hours:g} hours, since clocks go {turn}.")
    return " ".join(unusual)
