"""What is written computes what the blocks say, in LiteRT and by independent references."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from loopcast.api import ModelError
from loopcast.api import graph as g
from loopcast.deploy.export.tflite.runtimes import Session, sessions
from loopcast.deploy.export.tflite.storage import PRECISIONS, Precision
from loopcast.deploy.export.tflite.write import write_tflite

from .splines import curve

Floats = NDArray[np.float64]
HOUR = g.Spline(0, 0.0, 24.0, 10, periodic=True)
TEMPERATURE = g.Spline(1, -5.0, 35.0, 8)
FEATURES = ("hour", "temperature", "working", "slot")


def answered(
    output: g.Block, x: Floats, features: tuple[str, ...] = FEATURES, **options: Any
) -> Floats:
    """What LiteRT answers to a graph of one output block."""
    graph = g.Graph(features=features, output=output, outputs=("y",))
    [session] = sessions(write_tflite(graph, **options).content)
    return session.run(x.astype(np.float32))[0].astype(np.float64)


def rows(count: int = 300) -> Floats:
    random = np.random.default_rng(3)
    return np.column_stack(
        [
            random.uniform(0, 24, count),
            random.uniform(-20, 50, count),
            random.integers(0, 2, count),
            random.integers(0, 4, count),
        ]
    ).astype(np.float32)


def coefficients(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).normal(0.0, 1.0, shape)


def test_a_sum_of_splines_is_that_of_scipy_beyond_the_knots_too() -> None:
    x = rows()
    first, second = coefficients(10, 2), coefficients(8, 2)
    terms = (g.Term("hour", (HOUR,), first), g.Term("temperature", (TEMPERATURE,), second))
    expected = curve(HOUR, first, x[:, 0]) + curve(TEMPERATURE, second, x[:, 1]) + [3.0, -4.0]
    found = answered(g.Additive(terms, np.array([3.0, -4.0])), x)
    assert x[:, 1].min() < TEMPERATURE.lower - 10
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@given(
    size=st.integers(4, 40), lower=st.floats(-50, 50), length=st.floats(0.5, 400), data=st.data()
)
@settings(max_examples=25)
def test_any_spline(size: int, lower: float, length: float, data: st.DataObject) -> None:
    spline = g.Spline(0, lower, lower + length, size, periodic=data.draw(st.booleans()))
    x = (lower + length * np.linspace(-1.5, 2.5, 60)).astype(np.float32).astype(np.float64)
    coef = coefficients(size, 1)
    found = answered(g.Additive((g.Term("x", (spline,), coef),), np.zeros(1)), x[:, None], ("x",))
    # A float32 next to a knot is a few parts in ten million of the whole range away from it.
    np.testing.assert_allclose(found, curve(spline, coef, x), atol=2e-5 * np.sqrt(size))


def test_products_are_row_by_row_and_lines_multiply() -> None:
    x = rows()
    coef = coefficients(80, 1)
    terms = (
        g.Term("surface", (HOUR, TEMPERATURE), coef),
        g.Term("of workdays", (HOUR, g.Line(2)), coefficients(10, 1)),
        g.Term("all three", (HOUR, TEMPERATURE, g.Line(2)), coef),
        g.Term("line", (g.Line(1),), np.array([[0.5]])),
    )
    inner = np.stack(
        [curve(TEMPERATURE, row[:, None], x[:, 1])[:, 0] for row in coef.reshape(10, 8)]
    )
    surface = np.array([curve(HOUR, inner[:, [k]], x[[k], 0])[0, 0] for k in range(len(x))])
    of_workdays = curve(HOUR, coefficients(10, 1), x[:, 0])[:, 0] * x[:, 2]
    expected = surface * (1 + x[:, 2]) + of_workdays + 0.5 * x[:, 1]
    found = answered(g.Additive(terms, np.zeros(1)), x)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("precision", "atol"), [("float32", 1e-5), ("float16", 5e-3), ("int8", 0.1)]
)
def test_a_feature_chooses_among_models(precision: Precision, atol: float) -> None:
    x = rows()
    coef, intercept = coefficients(10, 4), np.arange(4.0)
    whole = curve(HOUR, coef, x[:, 0]) + intercept
    expected = whole[np.arange(len(x)), x[:, 3].astype(int)]
    terms = (g.Term("hour", (HOUR,), coef),)
    found = answered(g.Additive(terms, intercept, choice=3), x, precision=precision)
    assert found.shape == (len(x), 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=atol)


def test_intervals_specials_and_missing_values() -> None:
    """Values on bounds belong above, a special one to no interval, a missing one to none."""
    basis = g.Intervals(0, (1.0, 2.5), specials=(2.0,), slopes=True)
    coef = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 1.0, 2.0, 3.0])[:, None]
    x = np.array([-1.0, 0.5, 1.0, 2.0, 2.25, 2.5, 7.0, np.nan])[:, None]
    found = answered(g.Additive((g.Term("x", (basis,), coef),), np.zeros(1)), x, ("x",))
    expected = [10 - 1.0, 10 + 0.5, 20 + 2.0, 40, 20 + 4.5, 30 + 7.5, 30 + 21.0, 50]
    assert found[:, 0].tolist() == expected


def test_slopes_without_cuts() -> None:
    basis = g.Intervals(0, (), slopes=True)
    term = g.Term("x", (basis,), np.array([[3.0], [7.0], [0.5]]))
    x = np.array([[4.0], [np.nan]])
    assert answered(g.Additive((term,), np.zeros(1)), x, ("x",)).ravel().tolist() == [5.0, 7.0]


def test_levels_and_codes_that_are_none() -> None:
    term = g.Term("c", (g.Levels(0, 3),), np.array([[1.5], [2.5], [3.5]]))
    x = np.array([[0.0], [1.0], [2.0], [3.0], [-1.0]])
    assert answered(g.Additive((term,), np.zeros(1)), x, ("c",)).ravel().tolist() == [
        1.5, 2.5, 3.5, 0.0, 0.0,
    ]  # fmt: skip


def test_other_blocks() -> None:
    x = np.random.default_rng(0).normal(0, 1, (7, 3)).astype(np.float32).astype(np.float64)
    of, names = g.Features(), ("a", "b", "c")
    weights, bias = coefficients(2, 3), coefficients(2)
    linear = g.Linear(of, weights, bias)
    logistic, product = g.Logistic(linear), g.Product(g.Columns(of, (2,)), of)
    both = g.Joined((logistic, g.Sum((of, product)), g.Clipped(of, -0.5, 0.5)))
    clipped = np.clip(x, -0.5, 0.5)
    expected = np.hstack([expit(x @ weights.T + bias), x + x[:, [2]] * x, clipped])
    np.testing.assert_allclose(answered(both, x, names), expected, atol=1e-6)
    natural = g.Logarithm(g.Exponential(of))
    np.testing.assert_allclose(answered(natural, x, names), x, atol=1e-6)
    top = answered(g.Top(of, 2), x, names)
    order = np.argsort(-x, axis=1)[:, :2]
    assert np.array_equal(top[:, :2], order)
    np.testing.assert_allclose(top[:, 2:], np.take_along_axis(x, order, axis=1), rtol=1e-7)


def test_blocks_that_tell_and_fill() -> None:
    x = np.array([[0.0, 3.0], [np.nan, -2.0], [2.0, 0.5]])
    of, names = g.Features(), ("a", "b")
    told = g.Joined((g.Missing(of), g.Filled(of), g.Above(of, 0.5)))
    expected = [[0, 0, 0, 3, 0, 1], [1, 0, 0, -2, 0, 0], [0, 0, 2, 0.5, 1, 0]]
    assert answered(told, x, names).tolist() == expected
    shares = g.Quotient(g.Constant((1.0, 3.0)), g.Columns(of, (1,)))
    np.testing.assert_allclose(answered(shares, x, names), [1, 3] / x[:, [1]], rtol=1e-6)
    code = g.Columns(g.Filled(of), (0,))
    assert answered(g.OneHot(code, 3), x, names).tolist() == np.eye(3)[[0, 0, 2]].tolist()
    table = g.Stacked(g.Constant((1.0, 2.0, 3.0, 4.0, 5.0, 6.0)), 2)
    assert answered(g.Picked(table, code), x, names).tolist() == [[1, 2], [1, 2], [5, 6]]
    assert answered(g.First(of), x, names).tolist() == [[0.0, 3.0]]


def test_a_row_of_numbers_goes_to_the_rows_that_follow() -> None:
    ahead = g.Following(g.Constant((7.0, 8.0, 9.0)))
    assert answered(ahead, np.zeros((2, 1)), ("x",)).tolist() == [[7.0], [8.0]]
    assert answered(ahead, np.zeros((3, 1)), ("x",)).tolist() == [[7.0], [8.0], [9.0]]
    with pytest.raises(ModelError, match="LiteRT cannot run the model"):
        answered(ahead, np.zeros((4, 1)), ("x",))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_is_filtered_by_the_same_weights_at_each_place(precision: Precision) -> None:
    x, weights = np.random.default_rng(1).normal(0, 1, (1, 9)), coefficients(4)
    found = answered(g.Filtered(g.Features(), weights), x, tuple("abcdefghi"), precision=precision)
    expected = np.correlate(x[0], weights, "valid")
    np.testing.assert_allclose(found, expected[None], rtol=0, atol=1e-6)


def test_a_state_goes_round() -> None:
    """A running sum of the first feature."""
    state = g.Sum((g.State(), g.Features()))
    graph = g.Graph(
        features=("x",), output=state, outputs=("y",), state=1, next_state=g.Product(state, state)
    )
    [session] = sessions(write_tflite(graph).content)
    memory = np.zeros((1, 1), np.float32)
    for x, output, kept in ((1.0, 1.0, 1.0), (2.0, 3.0, 9.0)):
        found, memory = session.run(np.array([[x]], np.float32), memory)  # type: ignore[assignment]
        assert (found.item(), memory.item()) == (output, kept)
    with pytest.raises(ModelError, match="what the next one is"):
        write_tflite(g.Graph(features=("x",), output=g.State(), outputs=("y",)))


def half_hourly(spline: g.Spline) -> g.Graph:
    terms = (g.Term("hour", (spline,), coefficients(spline.size, 48)),)
    return g.Graph(features=FEATURES, output=g.Additive(terms, np.zeros(48)), outputs=("y",) * 48)


def test_the_same_graph_gives_the_same_bytes_and_fewer_bits_a_smaller_file() -> None:
    graph = half_hourly(replace(HOUR, size=40))
    sizes = [len(write_tflite(graph, kind).content) for kind in PRECISIONS]
    assert write_tflite(graph, "int8").content == write_tflite(graph, "int8").content
    assert sizes[0] - sizes[1] > 3_500
    assert sizes[1] - sizes[2] > 1_200


@pytest.mark.parametrize("resolver", [0, 3], ids=["xnnpack", "plain"])
def test_small_terms_of_many_outputs_are_as_exact_in_eight_bits(resolver: int) -> None:
    """By factors of columns; with XNNPACK, which is particular about them, and without."""
    coef = coefficients(10, 20) * np.logspace(0, -2, 10)[:, None]
    terms = (g.Term("hour", (HOUR,), coef), g.Term("line", (g.Line(1),), 1e-3 * coef[:1]))
    output = g.Additive(terms, np.zeros(20))
    graph = g.Graph(features=FEATURES, output=output, outputs=("y",) * 20)
    kind = OpResolverType(resolver)
    made = Interpreter(
        model_content=write_tflite(graph, "int8").content, experimental_op_resolver_type=kind
    )
    x = rows()
    expected = curve(HOUR, coef, x[:, 0]) + x[:, 1:2] * 1e-3 * coef[0]
    found, _ = Session("LiteRT", made).run(x.astype(np.float32))
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_frozen_scales_are_kept_while_weights_fit() -> None:
    def graph(coef: Floats) -> g.Graph:
        terms = (g.Term("hour", (HOUR,), coef),)
        return g.Graph(features=FEATURES, output=g.Additive(terms, np.zeros(2)), outputs=("a", "b"))

    coef = coefficients(10, 2)
    before = write_tflite(graph(coef), "int8")
    largest = np.abs(coef).argmax(axis=0)
    coef[largest, [0, 1]] *= [0.99, 1.5]
    after = write_tflite(graph(coef), "int8", before.scales)
    needed = np.abs(coef - coef.mean(axis=0)).max(axis=0) / 6 / 124
    assert after.scales[0].rows[0] == before.scales[0].rows[0] != pytest.approx(needed[0])
    assert after.scales[0].rows[1] == pytest.approx(needed[1])
    assert after.scales[0].rows[1] > before.scales[0].rows[1]


def chosen_among(coef: Floats) -> g.Graph:
    """A file of as many models as there are columns of coefficients; slot chooses."""
    output = g.Additive((g.Term("hour", (HOUR,), coef),), np.arange(float(coef.shape[1])), choice=3)
    return g.Graph(features=FEATURES, output=output, outputs=("y",))


def alike(deviation: float) -> Floats:
    """Coefficients of twelve models, which differ so much from what they have in common."""
    return coefficients(10, 1) * 10.0 + deviation * coefficients(10, 12)


@pytest.mark.parametrize("resolver", [0, 3], ids=["xnnpack", "plain"])
def test_models_that_are_alike_are_more_exact_in_eight_bits(resolver: int) -> None:
    """The error is a part of what distinguishes them, not of what they have in common."""
    coef = alike(0.1)
    x = np.column_stack([rows(240)[:, :3], np.arange(240) % 12])
    content = write_tflite(chosen_among(coef), "int8").content
    made = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType(resolver)
    )
    found, _ = Session("LiteRT", made).run(x.astype(np.float32))
    slot = x[:, 3].astype(int)
    expected = curve(HOUR, coef, x[:, 0])[np.arange(240), slot] + slot
    error = np.abs(found[:, 0] - expected).max()
    range_of_common, byte = np.ptp(coef.mean(axis=1)), 1 / 254
    assert error < 0.1 * range_of_common * byte


def test_what_models_have_in_common_is_frozen_too() -> None:
    old = alike(0.1)
    new = old + 0.002 * np.random.default_rng(1).normal(size=old.shape)
    before = write_tflite(chosen_among(old), "int8")
    after = write_tflite(chosen_among(new), "int8", before.scales)
    [first], [second] = before.scales, after.scales
    assert first.middles.any()
    assert second.middles.tolist() == first.middles.tolist()
    assert (second.middle, second.columns.tolist()) == (first.middle, first.columns.tolist())
    x = np.column_stack([rows(240)[:, :3], np.arange(240) % 12])
    [session] = sessions(after.content)
    slot = x[:, 3].astype(int)
    expected = curve(HOUR, new, x[:, 0])[np.arange(240), slot] + slot
    found = session.run(x.astype(np.float32))[0][:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.003)


def test_a_term_of_the_wrong_size_is_named() -> None:
    terms = (g.Term("s(hour)", (HOUR,), np.ones((9, 1))),)
    graph = g.Graph(features=FEATURES, output=g.Additive(terms, np.zeros(1)), outputs=("y",))
    with pytest.raises(ModelError, match=r"s\(hour\) has 9 coefficients for 10 columns"):
        write_tflite(graph)
    short = g.Graph(
        features=FEATURES,
        output=g.Additive((g.Term("x", (g.Spline(0, 0, 1, 3),), np.ones((3, 1))),), np.zeros(1)),
        outputs=("y",),
    )
    with pytest.raises(ModelError, match="a spline of 3 B-splines"):
        write_tflite(short)
