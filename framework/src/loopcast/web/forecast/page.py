"""The page of one forecast: ``report.html``."""

from __future__ import annotations

from typing import Any

from loopcast.web import effects
from loopcast.web.forecast import backtest, facts, figures, tables, words
from loopcast.web.forecast.report import ForecastReport
from loopcast.web.page import Selector, render_page


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
    effects_choice = effects.selector(report.effects, report.series)
    context: dict[str, Any] = {
        "report": report,
        "title": words.title(report),
        "choice": choice,
        "effects_choice": effects_choice,
        "words": words,
        "facts": facts,
        "forecast_figures": figures.forecast(report, choice),
        "overview": tables.overview(report),
        "levels": tables.levels(report, choice),
        "accuracy": tables.accuracy(report),
        "subsets": tables.subsets(report),
        "hours": backtest.errors_by_hour(report, choice),
        "day_types": backtest.errors_by_day_type(report),
        "strips": backtest.strips(report, choice),
        "effects": effects.figures(report.effects, effects_choice, report.schema.unit),
    }
    return render_page("report.html.j2", **context)
