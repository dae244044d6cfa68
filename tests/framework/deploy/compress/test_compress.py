"""Smaller graphs stay near the full one, and the search keeps to its budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import DeviceBudget, ModelError
from loopcast.api import graph as g
from loopcast.deploy.compress.domain import domain_rows, largest_of
from loopcast.deploy.compress.knots import with_fewer_knots
from loopcast.deploy.compress.pruning import without_least
from loopcast.deploy.compress.rewrite import rewritten, sums_of
from loopcast.deploy.compress.search import Choice, search, written_as
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.export.tflite.write import write_tflite

Floats = NDArray[np.float64]
HOUR = g.Spline(0, 0.0, 24.0, 24, periodic=True)
TEMPERATURE = g.Spline(1, -5.0, 35.0, 20)
FLAG = g.Line(2)


def smooth(spline: g.Spline, size: float = 1.0) -> Floats:
    """Coefficients of a curve without sharp bends."""
    at = np.arange(spline.size) / spline.size
    return size * np.sin(2 * np.pi * at)[:, None]


def additive() -> g.Additive:
    surface = np.asarray(np.kron(smooth(TEMPERATURE), smooth(HOUR, 0.3)), np.float64)
    return g.Additive(
        (
            g.Term("hour", (HOUR,), smooth(HOUR)),
            g.Term("temperature", (TEMPERATURE,), smooth(TEMPERATURE, 0.7)),
            g.Term("small", (HOUR, FLAG), smooth(HOUR, 1e-4)),
            g.Term("surface", (TEMPERATURE, HOUR), surface),
        ),
        np.array([2.0]),
    )


def graph(block: g.Block) -> g.Graph:
    return g.Graph(features=("hour", "temperature", "flag"), output=block, outputs=("y",))


def scenario(block: g.Block) -> Vectors:
    random = np.random.default_rng(0)
    x = np.column_stack(
        [random.uniform(0, 24, 50), random.uniform(0, 20, 50), random.integers(0, 2, 50)]
    ).astype(np.float32)
    return Vectors(features=x, expected=answers(block, x))


def answers(block: g.Block, x: NDArray[np.float32]) -> Floats:
    [session] = sessions(write_tflite(graph(block)).content)
    return session.run(x)[0].astype(np.float64)


@given(within=st.floats(1e-5, 0.3), lower=st.floats(-10, 10), periodic=st.booleans())
@settings(max_examples=20)
def test_no_curve_moves_further_than_allowed(within: float, lower: float, periodic: bool) -> None:
    spline = g.Spline(0, lower, lower + 4.0, 40, periodic)
    coef = np.random.default_rng(0).normal(0, 0.05, (40, 1)) + smooth(spline)
    block = g.Additive((g.Term("curve", (spline,), coef),), np.zeros(1))
    small = with_fewer_knots(block, within)
    x = np.zeros((60, 3), np.float32)
    x[:, 0] = np.linspace(lower, lower + 4.0, 60)
    assert np.abs(answers(small, x) - answers(block, x)).max() <= within + 1e-5


def test_a_curve_without_bends_needs_few_knots_and_a_shared_basis_stays_shared() -> None:
    """The coefficients of a parabola are a parabola, whatever the knots."""
    spline, at = g.Spline(0, 0.0, 4.0, 40), np.arange(40.0)[:, None]
    parabola = g.Term("parabola", (spline,), 1e-3 * at**2 - 0.1)
    bent = g.Term("bent", (spline, FLAG), np.where(at > 20, 1.0, 0.0))
    alone = with_fewer_knots(g.Additive((parabola,), np.zeros(1)), 1e-9)
    assert [basis.size for basis in alone.terms[0].bases] == [6]
    both = with_fewer_knots(g.Additive((parabola, bent), np.zeros(1)), 1e-2)
    assert both.terms[0].bases[0] == both.terms[1].bases[0]
    assert 6 < both.terms[0].bases[0].size <= 40


def test_products_of_splines_get_fewer_knots_in_each_direction() -> None:
    block = additive()
    small = with_fewer_knots(block, 1e-3)
    assert len(small.terms[3].coef) < 0.5 * len(block.terms[3].coef)
    x = domain_rows([block], scenario(block).features)
    assert np.abs(answers(small, x) - answers(block, x)).max() < 1e-2


def test_the_least_terms_go_and_no_more_than_is_allowed() -> None:
    block = additive()
    largest = {2: 1.0}
    assert [t.label for t in without_least(block, 2e-4, largest).terms] == [
        "hour", "temperature", "surface",
    ]  # fmt: skip
    kept = without_least(block, 0.5e-4, largest).terms
    assert [t.label for t in kept] == ["hour", "temperature", "small", "surface"]
    assert len(without_least(block, 2e-4, {2: 10.0}).terms) == 4
    x = domain_rows([block], scenario(block).features)
    pruned = without_least(block, 2e-4, largest)
    assert np.abs(answers(pruned, x) - answers(block, x)).max() < 2e-4


def test_rows_of_the_domain_reach_all_of_it() -> None:
    codes = g.Term("code", (g.Levels(2, 3),), np.ones((3, 1)))
    number = g.Term("number", (g.Intervals(3, (1.0, 2.0)),), np.ones((4, 1)))
    block = g.Additive((*additive().terms[:2], codes, number), np.zeros(1), choice=None)
    rows = domain_rows([block], np.zeros((2, 5), np.float32))
    assert rows[:, 1].min() < -4.5
    assert rows[:, 1].max() > 34.5
    assert set(rows[:, 2].tolist()) == {0.0, 1.0, 2.0}
    assert np.isnan(rows[:, 3]).any()
    assert not rows[:, 4].any()


def test_a_flag_that_the_scenario_never_has_set_keeps_its_terms() -> None:
    """The scenario is of a Tuesday; what is said of Mondays must not be lost on the way."""
    monday = g.Term("monday", (HOUR, FLAG), smooth(HOUR, 0.5))
    block = g.Additive((*additive().terms[:2], monday), np.array([2.0]))
    tuesday = scenario(block).features.copy()
    tuesday[:, 2] = 0.0
    rows = domain_rows([block], tuesday)
    assert 0.1 < rows[:, 2].mean() < 0.4
    assert largest_of(np.zeros((3, 3), np.float32)) == {0: 1.0, 1: 1.0, 2: 1.0}
    vectors = Vectors(features=tuesday, expected=answers(block, tuesday))
    found = search(graph(block), vectors, DeviceBudget(error=5e-2)).chosen
    [session] = sessions(found.content)
    tuesday[:, 2] = 1.0
    expected = answers(block, tuesday)
    assert np.abs(session.run(tuesday)[0] - expected).max() < 0.06 * np.abs(expected).max()


def test_blocks_that_are_shared_stay_shared() -> None:
    block = additive()
    whole = graph(g.Sum((g.Logistic(block), g.Product(block, g.Features()))))
    changed = rewritten(whole, lambda one: with_fewer_knots(one, 0.01))
    assert len(sums_of(whole)) == len(sums_of(changed)) == 1
    assert sums_of(whole) == [block]
    assert rewritten(whole, lambda one: one).output is whole.output


def test_the_smallest_within_the_budget_is_chosen() -> None:
    block = additive()
    found = search(graph(block), scenario(block), DeviceBudget(error=2e-2))
    chosen = found.chosen
    assert chosen.error <= 2e-2
    assert all(one.size >= chosen.size for one in found.candidates if one.error <= 2e-2)
    assert chosen.size < 0.6 * max(one.size for one in found.candidates)
    errors = [one.error for one in found.front]
    assert errors == sorted(errors, reverse=True)
    exact = search(graph(block), scenario(block), DeviceBudget(error=1e-6))
    assert exact.chosen.choice.precision == "float32"
    with pytest.raises(
        ModelError, match=r"no file keeps to an error of 1e-06 and 1,000 bytes: the"
    ):
        search(graph(block), scenario(block), DeviceBudget(error=1e-6, bytes=1000))


def test_a_graph_of_weights_alone_is_stored_in_fewer_bits() -> None:
    weights = np.random.default_rng(1).normal(0, 1, (40, 60))
    block = g.Linear(g.Features(), weights, np.zeros(40))
    names = tuple(map(str, range(60)))
    whole = g.Graph(features=names, output=block, outputs=names[:40])
    x = np.random.default_rng(2).normal(0, 1, (30, 60)).astype(np.float32)
    vectors = Vectors(features=x, expected=x @ weights.T)
    found = search(whole, vectors, DeviceBudget(error=1e-2))
    assert len(found.candidates) == 3
    assert found.chosen.choice.precision == "int8"


def test_scales_of_what_devices_have_are_kept() -> None:
    old, choice = additive(), Choice(precision="int8")
    new = g.Additive(
        tuple(g.Term(t.label, t.bases, 0.99 * t.coef) for t in old.terms), old.intercept
    )
    before = written_as(choice, graph(old), {2: 1.0})
    after = written_as(choice, graph(new), {2: 1.0}, graph(old))
    assert [a.rows.tolist() for a in after.scales] == [b.rows.tolist() for b in before.scales]
    fresh = written_as(choice, graph(new), {2: 1.0})
    assert fresh.scales[0].rows < before.scales[0].rows
