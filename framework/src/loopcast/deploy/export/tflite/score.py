"""Scores as graphs: the features that a recipe makes of rows, and what is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ModelError, PortableScorer
from loopcast.api import recipe as r
from loopcast.deploy.export.calibrated.graph import calibrated_portable
from loopcast.deploy.export.probes import probes
from loopcast.deploy.export.tflite.exportable import Exportable, refuse_series
from loopcast.deploy.export.tflite.vectors import Vectors
from loopcast.deploy.score_bundle import read_scenario
from loopcast.develop.score.finished import parts_of
from loopcast.plugins import calling

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.deploy.loaded import LoadedVersion


def table_recipe(loaded: LoadedVersion) -> r.Recipe:
    """Return a recipe of the features as the schema has them, for a file that others have made.

    Categories are those of training, in their order.
    """
    bounds = loaded.bounds
    texts = {name: one["categories"] for name, one in bounds.items() if "categories" in one}
    return r.Recipe(
        step_seconds=1,
        measurements=tuple(
            r.Measurement(name=name, kind="category" if name in texts else "number", required=False)
            for name in bounds
        ),
        steps=tuple(
            r.Category(name=name, of=name, known=tuple(texts[name]))
            if texts.get(name)
            else r.Number(name=name, of=name)
            for name in bounds
        ),
        features=tuple(bounds),
    )


def score_exportable(loaded: LoadedVersion, series: str) -> Exportable:
    """Return a scorer with its calibration as a graph, with what it has to answer.

    A template without a graph leaves it to another converter to make the file: of the features as
    the schema has them, and of the probability.

    Raises
    ------
    ModelError
        Where a series is asked for.
    """
    refuse_series(loaded, series)
    scorer, calibration = parts_of(loaded.model)
    if not isinstance(scorer, PortableScorer):
        recipe, outputs = table_recipe(loaded), ("probability",)
        vectors = _vectors(loaded, recipe, outputs)
        return Exportable(recipe=recipe, outputs=outputs, vectors=vectors, graph=None)
    with calling(loaded.version.template, "to_graph"):
        portable = scorer.to_graph()
    if calibration is not None:
        portable = calibrated_portable(portable, calibration)
    recipe, graph = portable.recipe, portable.graph
    vectors = _vectors(loaded, recipe, graph.outputs)
    return Exportable(recipe=recipe, outputs=graph.outputs, vectors=vectors, graph=graph)


def _vectors(loaded: LoadedVersion, recipe: r.Recipe, outputs: tuple[str, ...]) -> Vectors:
    """Return the rows of the test scenario, and odd ones, with what the model answers to them."""
    rows = probes(read_scenario(loaded.bundle.files)[0])
    with calling(loaded.version.template, "predict"):
        found = loaded.model.predict(rows)
    columns = {"probability": found.probability, "points": found.points}
    expected = np.column_stack([columns[name] for name in outputs])
    return Vectors(features=score_features(recipe, rows), expected=expected)


def score_features(recipe: r.Recipe, rows: pd.DataFrame) -> NDArray[np.float32]:
    """Return rows as the recipe of a score makes them, shape (rows, features), float32.

    Raises
    ------
    ModelError
        Where the recipe has a step that says more than a number or a category.
    """
    made = {step.name: _column(step, rows) for step in recipe.steps}
    return np.column_stack([made[name] for name in recipe.features]).astype(np.float32)


def _column(step: Any, rows: pd.DataFrame) -> NDArray[np.float64]:
    if not isinstance(step, r.Number | r.Missing | r.Category):
        raise ModelError(
            f"step {step.name} of the recipe of a score makes {type(step).__name__}; expected "
            "Number, Category or Missing"
        )
    column = rows[step.of]
    if isinstance(step, r.Number):
        values = column.to_numpy(np.float64)
        return values if step.missing is None else np.where(np.isnan(values), step.missing, values)
    if isinstance(step, r.Missing):
        return np.asarray(column.isna(), np.float64)
    places = {name: place for place, name in enumerate(step.known)}
    unknown, missing = len(places), len(places) + 1
    codes = column.astype(object).map(lambda one: places.get(str(one), unknown))
    return codes.where(column.notna(), missing).to_numpy(np.float64)
