"""Rankings as graphs: the list of who has chosen some items.

A list is the places of its items among those of the version, the best first, and then their scores.
Where nothing is left to recommend, the place is -1 and the score 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ModelError, PortableRanker, Ranker, RankSchema
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.deploy.export.tflite.exportable import Exportable, refuse_series
from loopcast.deploy.export.tflite.list_names import list_names
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.rank_bundle import read_names, read_scenario
from loopcast.plugins import calling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import RankQuery, Version
    from loopcast.deploy.loaded import LoadedVersion

NEVER = -1e9
"""What is added to the score of an item that must not be in a list, and half of it is below."""

APART = 1e-4
"""Scores nearer than this, as a share of the largest, may change places by rounding."""


def rank_exportable(loaded: LoadedVersion, series: str) -> Exportable:
    """Return a ranking as a graph, with what it has to answer.

    Raises
    ------
    ModelError
        Where it has no graph, or no list of the scenario has an order beyond rounding.
    """
    model, schema = loaded.model, loaded.schema
    assert isinstance(schema, RankSchema)
    refuse_series(loaded, series)
    if not isinstance(model, PortableRanker):
        raise ModelError(f"template {loaded.version.template} has no export to tflite")
    items = tuple(read_names(loaded.bundle.files).items.to_pylist())
    length = min(schema.length, len(items))
    with calling(loaded.version.template, "to_graph"):
        portable = model.to_graph(items)
    outputs = list_names(length)
    output = _listed(portable.graph.output, length, repeat=schema.repeat)
    graph = replace(portable.graph, output=output, outputs=outputs)
    query, _ = read_scenario(loaded.bundle.files)
    vectors = _vectors(model, query, length, loaded.version)
    return Exportable(
        recipe=portable.recipe,
        outputs=outputs,
        vectors=vectors,
        graph=graph,
        items=_knows(portable.recipe, items, loaded.version.template),
    )


def _knows(recipe: r.Recipe, items: tuple[str, ...], template: str) -> str:
    """Return the step of a recipe that knows all items, by their codes.

    Raises
    ------
    ModelError
        Where there is none: nobody could tell which items are in a list.
    """
    for step in recipe.steps:
        if isinstance(step, r.Chosen) and step.known == items:
            return step.name
    raise ModelError(
        f"template {template}: no step of its recipe knows all items in their order, as that of "
        "what was chosen has to"
    )


def _listed(scores: g.Block, length: int, *, repeat: bool) -> g.Block:
    if not repeat:
        scores = g.Sum((scores, g.Product(g.Constant((NEVER,)), g.Features())))
    top = g.Top(scores, length)
    places, values = (g.Columns(top, tuple(range(k, k + length))) for k in (0, length))
    shown = g.Above(values, NEVER / 2)
    hidden = g.Sum((shown, g.Constant((-1.0,))))
    return g.Joined((g.Sum((g.Product(places, shown), hidden)), g.Product(values, shown)))


def _vectors(model: PortableRanker, query: RankQuery, length: int, version: Version) -> Vectors:
    """Return the entities of a query whose lists no rounding changes, and these lists."""
    assert isinstance(model, Ranker)
    longer = replace(query, length=min(length + 1, len(query.allowed)))
    with calling(version.template, "predict"):
        found = model.predict(longer)
    scores = np.nan_to_num(found.scores.astype(np.float64))
    kept = _beyond_doubt(scores, found.items >= 0)
    if not kept.any():
        raise ModelError(
            f"version {version.id}: no list of its test scenario has scores that are apart by more "
            "than rounding, by which a file could be compared"
        )
    expected = np.hstack([found.items[kept, :length], scores[kept, :length]])
    with calling(version.template, "device_call"):
        call = model.device_call(query)
    features = call.features[kept].astype(np.float32)
    return Vectors(features=features, expected=expected, codes=length)


def _beyond_doubt(scores: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell in which rows each score is clearly above the next one."""
    apart = scores[:, :-1] - scores[:, 1:] > APART * np.abs(scores).max()
    return np.asarray((apart | ~there[:, 1:]).all(axis=1))
