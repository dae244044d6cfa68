"""The page of one comparison."""

from __future__ import annotations

from loopcast.web import formats
from loopcast.web.comparison import figures, words
from loopcast.web.comparison.report import ComparisonReport
from loopcast.web.page import render_page


def render(report: ComparisonReport) -> str:
    """Return the comparison as one HTML file that needs no other file and no network."""
    choice = figures.attributes(report)
    return render_page(
        "comparison.html.j2",
        report=report,
        title=words.title(report),
        words=words,
        choice=choice,
        relative=figures.relative_changes(report),
        subsets=figures.by_attribute(report, choice),
        of_task=figures.of_task(report),
        effects=figures.effects(report),
        created=f"{report.created:%Y-%m-%d %H:%M}{formats.NBSP}UTC",
    )
