"""Forecasts as graphs: one series at the finest step, before it is made to add up with others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Forecast, ForecastData, ForecastQuery, ModelError, PortableForecaster
from loopcast.deploy.export.tflite.exportable import Exportable
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.deploy.forecast_scenario import read_scenario
from loopcast.plugins import calling

if TYPE_CHECKING:
    from loopcast.api.graph import Graph
    from loopcast.deploy.loaded import LoadedVersion


def forecast_exportable(loaded: LoadedVersion, series: str) -> Exportable:
    """Return the model of a series as a graph, with what it has to answer.

    That is the forecast of the test scenario's horizon.

    Raises
    ------
    ModelError
        Where there is no such series, or it has no graph.
    """
    step, covered = next(iter(loaded.models.items()))
    model = covered.model
    scenario = read_scenario(step, loaded.bundle.files[f"scenarios/{step}.npz"])
    query, answer = scenario.inputs, scenario.answer
    assert isinstance(query, ForecastQuery)
    assert isinstance(answer, Forecast)
    name = _chosen(query.known, series)
    if not isinstance(model, PortableForecaster):
        raise ModelError(f"template {loaded.version.template} has no export to tflite")
    with calling(loaded.version.template, "to_graph"):
        portable = model.to_graph(query.known, name)
    with calling(loaded.version.template, "device_call"):
        call = model.device_call(query.known, query.horizon, name)
    vectors = Vectors(
        features=call.features.astype(np.float32),
        expected=answer.mean[:, [query.known.series.index(name)]],
        state=None if call.state is None else call.state.astype(np.float32),
    )
    graph = portable.graph
    return Exportable(
        recipe=portable.recipe,
        outputs=graph.outputs,
        vectors=_with_next_state(vectors, graph),
        graph=graph,
    )


def _with_next_state(vectors: Vectors, graph: Graph) -> Vectors:
    """Add the state that follows, as the graph in full precision leaves it behind."""
    if vectors.state is None:
        return vectors
    session = next(sessions(write_tflite(graph).content))
    _, following = session.run(vectors.features, vectors.state)
    return replace(vectors, next_state=np.asarray(following, np.float64))


def _chosen(known: ForecastData, series: str) -> str:
    if series in known.series:
        return series
    if not series and len(known.series) == 1:
        return known.series[0]
    raise ModelError(
        f"a file is of one series, and {series!r} is none of the version; give one of "
        f"{', '.join(known.series)}: --series"
    )
