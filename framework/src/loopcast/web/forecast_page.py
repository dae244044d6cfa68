"""The page of one forecast: ``report.html``."""

from __future__ import annotations

from typing import Any

from loopcast.web import (
    forecast_backtest,
    forecast_effects,
    forecast_facts,
    forecast_figures,
    forecast_tables,
    forecast_words,
)
from loopcast.web.page import Selector, render_page
from loopcast.web.report import ForecastReport


def render(report: ForecastReport) -> str:
    """Return the report as one HTML file that needs no other file and no network.

    Parameters
    ----------
    report
        What it tells.

    Returns
    -------
    str
        HTML in UTF-8, deterministic for the same report.
    """
    choice = Selector(group="series", label="Series", names=report.series, chosen=report.series[0])
    effects_choice = forecast_effects.selector(report)
    context: dict[str, Any] = {
        "report": report,
        "title": forecast_words.title(report),
        "choice": choice,
        "effects_choice": effects_choice,
        "words": forecast_words,
        "facts": forecast_facts,
        "forecast_figures": forecast_figures.forecast(report, choice),
        "overview": forecast_tables.overview(report),
        "levels": forecast_tables.levels(report, choice),
        "accuracy": forecast_tables.accuracy(report),
        "subsets": forecast_tables.subsets(report),
        "hours": forecast_backtest.errors_by_hour(report, choice),
        "day_types": forecast_backtest.errors_by_day_type(report),
        "strips": forecast_backtest.strips(report, choice),
        "effects": forecast_effects.figures(report, effects_choice),
    }
    return render_page("report.html.j2", **context)
