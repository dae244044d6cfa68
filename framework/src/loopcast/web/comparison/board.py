"""The page of a board: versions side by side, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.api import ForecastSchema
from loopcast.web import formats
from loopcast.web.charts import Dot, DotPlot
from loopcast.web.page import Cell, Figure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.deploy.board import Board, BoardRow


def render(found: Board) -> str:
    """Return the board as one HTML file that needs no other file and no network."""
    return render_page(
        "board.html.j2",
        title=f"Versions of {found.logical_model.title}",
        board=found,
        metrics=_metrics(found),
        differences=_differences(found),
        settings=_settings(found),
        best=found.rows[0],
        kpi=_kpi_title(found),
    )


def _kpi_title(found: Board) -> str:
    name = found.logical_model.kpi.metric
    titles = {metric.name: metric.title for metric in found.metrics}
    return titles.get(name, name).partition(", ")[0]


def _name(row: BoardRow) -> str:
    return f"{row.version.template.rpartition('.')[2]} {row.version.id[:6]}"


def _metrics(found: Board) -> Table:
    columns = [[row.values[metric.name] for row in found.rows] for metric in found.metrics]
    texts = [
        [formats.number(value, formats.decimals(values)) for value in values] for values in columns
    ]
    rows = tuple(
        cells(_name(row), row.version.id, row.stage, *(column[place] for column in texts))
        for place, row in enumerate(found.rows)
    )
    titles = tuple(metric.title for metric in found.metrics)
    return Table(
        caption="The best first",
        columns=("version", "id", "stage", *titles),
        rows=rows,
        emphasis=(0,),
    )


def _differences(found: Board) -> Figure | None:
    rows = tuple((_name(row), (_dot(found, row),)) for row in found.rows if row.against_best)
    if not rows:
        return None
    return Figure(
        id="differences",
        title=f"{_kpi_title(found)}: difference to {_name(found.rows[0])}, the best",
        text="Dots with their 95 % intervals, from the rows that both were judged on.",
        chart=DotPlot(rows=rows, unit=_unit(found)),
    )


def _dot(found: Board, row: BoardRow) -> Dot:
    difference = row.against_best
    assert difference is not None
    value = difference.difference or 0.0
    places = formats.decimals([value, difference.low, difference.high], significant=3)
    text = formats.quantity(value, _unit(found), places)
    return Dot(
        role="model",
        label=difference.verdict,
        text=f"{text}, {difference.verdict}",
        value=value,
        low=difference.low,
        high=difference.high,
    )


def _unit(found: Board) -> str:
    schema, metric = found.logical_model.schema, found.logical_model.kpi.metric
    if metric == "mape":
        return "%"
    in_unit = isinstance(schema, ForecastSchema) and metric in {"rmse", "mae", "pinball"}
    return schema.unit if in_unit and isinstance(schema, ForecastSchema) else ""


def _settings(found: Board) -> Table | None:
    names = tuple(found.rows[0].settings)
    if not names:
        return None
    return Table(
        caption="Settings that are not the same for all",
        columns=("setting", *(_name(row) for row in found.rows)),
        rows=tuple(
            (Cell(text=name), *(Cell(text=row.settings[name]) for row in found.rows))
            for name in names
        ),
    )
