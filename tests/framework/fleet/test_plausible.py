"""Bounds of answers: all that a model says over its domain is within, what it was never meant for
is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.deploy.export.tflite.exportable import Exportable
from loopcast.deploy.export.tflite.list_names import list_names
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.develop.applicability import fit_domain
from loopcast.fleet.plausible import believed, outputs_of
from loopcast_edge.wire import Output

TEMPERATURE = g.Spline(0, -5.0, 35.0, 8)


def exportable(output: g.Block, name: str = "mean", **fields: Any) -> Exportable:
    graph = g.Graph(features=("temperature",), output=output, outputs=(name,), **fields)
    state = np.zeros((1, graph.state), np.float32) if graph.state else None
    return Exportable(
        recipe=r.Recipe(
            step_seconds=3600,
            measurements=(
                r.Measurement(name="temperature"),
                r.Measurement(name="load", required=False),
            ),
            steps=(r.Number(name="temperature", of="temperature"),),
            features=("temperature",),
            target="load",
        ),
        outputs=(name,),
        vectors=Vectors(
            features=np.array([[10.0]], np.float32), expected=np.array([[7.0]]), state=state
        ),
        graph=graph,
    )


def curve() -> g.Additive:
    coef = np.array([9.0, 7.0, 5.0, 4.0, 4.0, 5.0, 7.0, 10.0])[:, None]
    return g.Additive((g.Term("temperature", (TEMPERATURE,), coef),), np.zeros(1))


def bounded(found: Exportable, beyond: float = 1.0) -> Output:
    assert found.graph is not None
    [output] = outputs_of(found, write_tflite(found.graph).content, beyond)
    return output


def answer(found: Exportable, temperature: float) -> float:
    assert found.graph is not None
    [session] = sessions(write_tflite(found.graph).content)
    rows = np.array([[temperature]], np.float32)
    return float(session.run(rows, found.vectors.state)[0][0, 0])


@pytest.mark.parametrize("remembering", [False, True])
def test_records_are_believed_and_codes_of_broken_sensors_are_not(remembering: bool) -> None:
    """40 degrees are five more than training ever saw; -127 is what a sensor says that is gone."""
    memory: dict[str, Any] = {"state": 1, "next_state": g.State()} if remembering else {}
    block = g.Sum((curve(), g.State())) if remembering else curve()
    found = exportable(block, **memory)
    output = bounded(found)
    assert (output.name, output.series) == ("mean", "load")
    assert output.minimum is not None
    assert output.maximum is not None
    said = [answer(found, temperature) for temperature in np.linspace(-5.0, 35.0, 41)]
    assert output.minimum < min(said) <= max(said) < output.maximum
    assert output.minimum < answer(found, 40.0) < output.maximum
    assert not output.minimum < answer(found, -127.0) < output.maximum
    assert not output.minimum < answer(found, 9999.0) < output.maximum


def test_how_far_beyond_is_said_in_ranges() -> None:
    around_zero = g.Sum((curve(), g.Constant((-6.0,))))
    bounds = [bounded(exportable(around_zero), beyond) for beyond in (0.0, 1.0, 3.0)]
    widths = [float(one.maximum or 0.0) - float(one.minimum or 0.0) for one in bounds]
    np.testing.assert_allclose(widths[1:], [3 * widths[0], 7 * widths[0]])


def test_codes_of_broken_sensors_count_as_missing() -> None:
    domain = fit_domain({"temperature": np.linspace(1.0, 43.0, 50)})
    recipe = believed(exportable(curve()).recipe, domain)
    temperature, load = recipe.measurements
    assert (temperature.minimum, temperature.maximum) == (-41.0, 85.0)
    assert (load.minimum, load.maximum) == (None, None)
    never = fit_domain({"temperature": np.full(50, np.nan)})
    assert believed(recipe, never).measurements[0] == temperature


def test_nothing_at_all_is_no_demand() -> None:
    """The logarithm of a demand goes far below, and its exponential to zero."""
    found = exportable(g.Exponential(g.Product(g.Constant((-0.5,)), curve())))
    output = bounded(found)
    assert output.minimum is not None
    assert answer(found, 9999.0) < output.minimum
    assert 0.0 < output.minimum < answer(found, -5.0)


def test_a_probability_is_one_whatever_the_file() -> None:
    found = bounded(exportable(g.Logistic(curve()), "probability"))
    assert (found.minimum, found.maximum) == (0.0, 1.0)


def test_the_items_of_a_list_are_those_of_its_recipe() -> None:
    """Its scores have no bounds, and one of no item says nothing."""
    names = ("tea", "pot", "cup")
    graph = g.Graph(features=names, output=g.Top(g.Features(), 2), outputs=list_names(2))
    found = Exportable(
        recipe=r.Recipe(
            step_seconds=1,
            measurements=(r.Measurement(name="bought", kind="items"),),
            steps=(r.Chosen(name="chosen", of="bought", known=names),),
            features=("chosen",),
        ),
        outputs=list_names(2),
        vectors=Vectors(features=np.eye(3, dtype=np.float32), expected=np.eye(3, 4), codes=2),
        graph=graph,
        items="chosen",
    )
    assert outputs_of(found, write_tflite(graph).content) == (
        Output(name="item 1", place_in="chosen", minimum=-1.0, maximum=2.0),
        Output(name="item 2", place_in="chosen", minimum=-1.0, maximum=2.0),
        Output(name="score 1", beside="item 1"),
        Output(name="score 2", beside="item 2"),
    )
