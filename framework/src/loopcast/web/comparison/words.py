"""Sentences and key figures of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.web import formats
from loopcast.web.page import Cell, Finding, KeyFigure, Table, cells

if TYPE_CHECKING:
    from loopcast.develop.compare import Difference
    from loopcast.web.comparison.report import ComparisonReport

_UNITS = {"mape": "%"}
_BLOCKS = {"forecast": "forecast origins", "score": "independent cases", "rank": "entities"}
_IN_TARGETS_UNIT = frozenset({"rmse", "mae", "pinball"})


def title(report: ComparisonReport) -> str:
    """Return the heading."""
    return f"{report.names[1]} against {report.names[0]}"


def headline(report: ComparisonReport) -> str:
    """Say in one sentence what the comparison found."""
    found, (first, second) = report.kpi, report.names
    metric = name_of(report, found.metric)
    said = {
        "better": f"{second} is better than {first} on {metric}",
        "worse": f"{second} is worse than {first} on {metric}",
        "same": f"{second} and {first} are the same on {metric}, for what matters",
        "undecided": f"The rows do not decide between {second} and {first} on {metric}",
    }[found.verdict]
    return f"{said}: {change(report, found)}."


def name_of(report: ComparisonReport, metric: str) -> str:
    """Return a metric's title without its unit."""
    return report.metrics[metric].title.partition(", ")[0]


def change(report: ComparisonReport, found: Difference) -> str:
    """Return a difference with its interval: ``−0.09 % (−0.27 to 0.08)``."""
    value, ends = difference_parts(report, found)
    return f"{value} ({ends})"


def difference_parts(report: ComparisonReport, found: Difference) -> tuple[str, str]:
    """Return a difference with its sign and unit, and its interval."""
    places = formats.decimals([found.difference, found.low, found.high], significant=3)
    value = formats.quantity(found.difference, unit(report, found.metric), places)
    sign = "+" if found.difference and found.difference > 0 else ""
    if found.low is None:
        return f"{sign}{value}", "too few independent blocks of rows for an interval"
    return f"{sign}{value}", formats.interval(found.low, found.high, places=places)


def unit(report: ComparisonReport, metric: str) -> str:
    """Return the unit of a metric."""
    return report.unit if metric in _IN_TARGETS_UNIT else _UNITS.get(metric, "")


def byline(report: ComparisonReport) -> str:
    """Say on what both were judged."""
    comparison = report.comparison
    return (
        f"{report.logical_model.title}. Dataset {comparison.dataset[:12]}, {comparison.protocol}. "
        f"{formats.number(report.kpi.rows, 0)} rows of {formats.number(report.kpi.blocks, 0)} "
        f"{_BLOCKS[report.logical_model.task]}, which the intervals rest on."
    )


def key_figures(report: ComparisonReport) -> list[KeyFigure]:
    """Return the deciding metric of both, and the difference."""
    found = report.kpi
    name, metric = name_of(report, found.metric), unit(report, found.metric)
    places = formats.decimals([found.first, found.second])
    figures = [
        KeyFigure(
            label=f"{name}, {label}", value=formats.quantity(value, metric, places), detail=who.id
        )
        for label, value, who in zip(
            report.names, (found.first, found.second), report.versions, strict=True
        )
    ]
    value, ends = difference_parts(report, found)
    detail = ends if found.p_value is None else f"{ends}, p = {found.p_value:.2g}"
    figures.append(KeyFigure(label="Difference", value=value, detail=detail))
    return figures


def findings(report: ComparisonReport) -> list[Finding]:
    """Say what the deciding metric and the others found."""
    others = [f for f in report.overall if f.verdict in {"better", "worse"}]
    items = [_finding(report, report.kpi)]
    items += [_finding(report, found) for found in others if found is not report.kpi]
    if report.kpi.verdict == "undecided":
        text = "To decide, judge both on more origins, customers or rows."
        items.append(Finding(verdict="open", text=text))
    return items


def _finding(report: ComparisonReport, found: Difference) -> Finding:
    verdicts = {"better": "good", "worse": "bad"}
    minimum = (
        f"; differences within {found.minimum_effect:g} do not matter"
        if found.minimum_effect
        else ""
    )
    text = (
        f"{name_of(report, found.metric)}: {report.names[1]} is {found.verdict}, "
        f"{change(report, found)}{minimum}."
    )
    if found.verdict in {"undecided", "same"}:
        text = (
            f"{name_of(report, found.metric)}: {found.verdict}, {change(report, found)}{minimum}."
        )
    return Finding(verdict=verdicts.get(found.verdict, "open"), text=text)


def metrics_table(report: ComparisonReport) -> Table:
    """Return all metrics overall."""
    first, second = report.names
    rows = []
    for found in report.overall:
        places = formats.decimals([found.first, found.second])
        name, of = name_of(report, found.metric), unit(report, found.metric)
        titled = f"{name}, {of}" if of else name
        rows.append(
            cells(
                titled,
                formats.number(found.first, places),
                formats.number(found.second, places),
                formats.number(found.difference, places + 1),
                formats.interval(found.low, found.high, places=places + 1),
                formats.MISSING if found.p_value is None else f"{found.p_value:.2g}",
                found.verdict,
            )
        )
    columns = ("metric", first, second, "difference", "95 % interval", "p", f"{second} is")
    return Table(caption="Metrics on the same rows", columns=columns, rows=tuple(rows))


def settings_table(report: ComparisonReport) -> Table:
    """Return what differs in how both were made."""
    rows = tuple(
        (Cell(text=name), Cell(text=first), Cell(text=second))
        for name, first, second in report.settings
    )
    return Table(caption="What differs", columns=("setting", *report.names), rows=rows)
