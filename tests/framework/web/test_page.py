"""The parts that every page shares."""

from __future__ import annotations

from loopcast.web.charts import Axis, Band, Dot, DotPlot, HeatMap, Line, LineChart
from loopcast.web.page import Cell, Figure, Selector, asset, mark_best

X = Axis(values=[0.0, 1.0])
VALUES = [1.0, 2.0]


def line(label: str) -> Line:
    return Line(label=label, role="model", values=VALUES)


def test_the_best_of_a_column_is_its_lowest_value() -> None:
    assert mark_best(["a", "b", "c"], [2.0, None, 1.0]) == [
        Cell(text="a"),
        Cell(text="b"),
        Cell(text="c", best=True),
    ]


def test_one_value_alone_is_not_the_best() -> None:
    assert mark_best(["a", "b"], [2.0, None]) == [Cell(text="a"), Cell(text="b")]


def test_a_choice_of_one_has_no_view() -> None:
    alone = Selector(group="g", label="", names=("a",), chosen="a")
    assert alone.view("a") is None
    two = Selector(group="g", label="", names=("a", "b"), chosen="a")
    view = two.view("b")
    assert view is not None
    assert not view.shown


def test_a_legend_names_lines_and_nested_bands() -> None:
    bands = tuple(Band(label=name, role="model", low=VALUES, high=VALUES) for name in ("9", "5"))
    chart = LineChart(x=X, title="", unit="", lines=(line("a"),), bands=bands)
    figure = Figure(id="f", title="t", chart=chart)
    assert [mark for _, mark, _ in figure.key] == ["line", "area", "area inner"]


def test_a_single_line_needs_no_legend() -> None:
    chart = LineChart(x=X, title="", unit="", lines=(line("a"),))
    assert Figure(id="f", title="t", chart=chart).key == []
    heat = HeatMap(x=X, y=X, title="", unit="", values=(VALUES, VALUES), limit=2.0)
    assert Figure(id="f", title="t", chart=heat).key == []


def test_a_dot_plot_names_each_contender_once() -> None:
    dots = tuple(Dot(role=role, label=role, text="", value=1.0) for role in ("model", "other-1"))
    figure = Figure(id="f", title="t", chart=DotPlot(rows=(("x", dots), ("y", dots))))
    assert figure.key == [("model", "dot", "model"), ("other-1", "dot", "other-1")]


def test_the_vendored_library_has_its_licence_and_cannot_end_a_script() -> None:
    assert "MIT License" in asset("uPlot.LICENSE")
    assert "*/" not in asset("uPlot.LICENSE")
    for name in ("uPlot.iife.min.js", "page.js"):
        assert "</script" not in asset(name).lower()
