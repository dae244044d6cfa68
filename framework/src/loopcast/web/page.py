"""The skeleton of every page: one HTML file that needs nothing but itself.

A page extends ``base.html.j2``, which brings style, script and navigation, and uses the macros of
``parts.html.j2`` for figures, tables and facts. Everything is escaped; chart data is embedded as
JSON in which no character can end the element that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from loopcast.web import formats
from loopcast.web.charts import DotPlot, HeatMap, LineChart


@dataclass(frozen=True, kw_only=True)
class View:
    """What a selector of the page shows or hides.

    Attributes
    ----------
    group
        The selector's name.
    name
        The choice for which an element is shown.
    shown
        Whether it is shown to begin with.
    """

    group: str
    name: str
    shown: bool


@dataclass(frozen=True, kw_only=True)
class Selector:
    """A choice of the reader among views."""

    group: str
    label: str
    names: tuple[str, ...]
    chosen: str

    def view(self, name: str) -> View | None:
        """Return the view of one choice; ``None`` where there is nothing to choose."""
        if len(self.names) < 2:
            return None
        return View(group=self.group, name=name, shown=name == self.chosen)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart with what belongs to it.

    Attributes
    ----------
    id
        Unique in the page.
    title, text
        Heading, and what to see.
    alternative
        For those who cannot see it; the title where left out.
    legend
        Whether lines are named beside the chart.
    """

    id: str
    title: str
    chart: LineChart | HeatMap | DotPlot
    text: str = ""
    alternative: str = ""
    legend: bool = True
    view: View | None = None

    @property
    def key(self) -> list[tuple[str, str, str]]:
        """The legend: role, mark and label of each line and band."""
        if not self.legend or isinstance(self.chart, HeatMap):
            return []
        entries = _dot_key(self.chart) if isinstance(self.chart, DotPlot) else _key(self.chart)
        return entries if len(entries) > 1 else []


def _dot_key(chart: DotPlot) -> list[tuple[str, str, str]]:
    dots = ((dot.role, "dot", dot.label) for _, row in chart.rows for dot in row)
    return list(dict.fromkeys(dots))


def _key(chart: LineChart) -> list[tuple[str, str, str]]:
    entries = [(line.role, "line", line.label) for line in chart.lines if line.label]
    for number, band in enumerate(chart.bands):
        # A second band lies inside the first and looks darker.
        inner = number > 0 and band.role == chart.bands[number - 1].role
        if band.label:
            entries.append((band.role, "area inner" if inner else "area", band.label))
    return entries


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a table; the best of its column stands out."""

    text: str
    best: bool = False
    spark: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first column names the row.

    Attributes
    ----------
    emphasis
        Positions of rows that stand out.
    prose
        Whether cells are words, which begin at the left and go on in the next line.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    emphasis: tuple[int, ...] = ()
    prose: bool = False
    view: View | None = None


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """One number that a reader should take along."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A statement with a verdict: ``good``, ``bad`` or ``open``."""

    verdict: str
    text: str


def cells(*values: str) -> tuple[Cell, ...]:
    """Return a row of plain cells."""
    return tuple(Cell(text=value) for value in values)


def mark_best(texts: list[str], values: list[float | None]) -> list[Cell]:
    """Return a column's cells, the lowest value marked as the best.

    With fewer than two values there is nothing to compare.
    """
    known = [value for value in values if value is not None]
    best = min(known) if len(known) > 1 else None
    return [
        Cell(text=text, best=best is not None and value == best)
        for text, value in zip(texts, values, strict=True)
    ]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("loopcast.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "allow_nan": False,
        "ensure_ascii": True,
    }
    environment.filters["number"] = formats.number
    environment.globals["asset"] = asset
    return environment


@cache
def asset(name: str) -> Markup:
    """Return a file of this package's ``static`` folder, to stand inside a page."""
    # The content is the package's own, so that it needs no escaping.
    return Markup((files("loopcast.web") / "static" / name).read_text(encoding="utf-8"))


def render_page(template: str, **context: Any) -> str:
    """Fill a template of this package.

    Parameters
    ----------
    template
        File name in the folder ``templates``.
    context
        Its variables. Text is escaped.

    Returns
    -------
    str
        HTML without any reference to another file or host.
    """
    return _environment().get_template(template).render(**context)
