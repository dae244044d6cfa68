"""What a score's version holds: its files, packed from training and unpacked to serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import Files, Scenario, ScoreData, Scores
from loopcast.api.formats import json_bytes
from loopcast.deploy.frames import frame_bytes, read_frame
from loopcast.deploy.limits import Limits, limits_files
from loopcast.deploy.loaded import MODEL, Packed, load_model, not_given_back
from loopcast.deploy.outcomes import outcomes_of
from loopcast.develop.applicability import fit_domain
from loopcast.develop.score.finished import finished_files
from loopcast.develop.score.inputs import columns_of
from loopcast.develop.score.trial import probabilities
from loopcast.plugins import calling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Scorer
    from loopcast.develop.contest import Trained
    from loopcast.develop.course import Contender

SCENARIO_FILE = "scenarios/rows.npz"
SCENARIO_ROWS = 200
"""Rows of a test scenario, evenly spread over the training data."""


def pack(
    trained: Trained, candidate: Contender, data: ScoreData, stand_in: Contender | None = None
) -> Packed:
    """Return the files of a version, and the model that they give back, which scores the same.

    Parameters
    ----------
    data
        The training data.
    stand_in
        Answers beyond its domain; ``None`` where nothing does.

    Raises
    ------
    IntegrityError
        Where the loaded model scores something else than the fitted one.
    """
    name = candidate.template.name
    with calling(name, "save"):
        saved = {f"{MODEL}{file}": content for file, content in trained.model.save().items()}
    saved |= finished_files(trained.model)
    rows = data.features.iloc[_spread(len(data.features), SCENARIO_ROWS)]
    expected = probabilities(trained.model, rows, name)
    loaded: Scorer = load_model("score", saved, candidate.template, lambda _: candidate.template)
    again = probabilities(loaded, rows, name)
    if not np.array_equal(expected, again):
        worst = float(np.max(np.abs(expected - again)))
        steady = np.array_equal(expected, probabilities(trained.model, rows, name))
        how = f"differs from the fitted one by up to {worst:g}"
        raise not_given_back(name, how, steady=steady)
    files = {
        **saved,
        SCENARIO_FILE: frame_bytes(rows, {"expected": expected}),
        "schema.json": json_bytes(
            {
                "schema": msgspec.to_builtins(data.schema),
                "bounds": input_bounds(data.features),
                "outcomes": msgspec.to_builtins(outcomes_of(data.target)),
            }
        ),
        "evaluation.json": json_bytes(msgspec.to_builtins(trained.evaluations)),
        **limits_files(
            Limits(
                domains={"": fit_domain(columns_of(data.features))},
                stand_ins={"": trained.stand_in},
            ),
            stand_in,
        ),
    }
    scenario = Scenario(
        name="",
        inputs=rows,
        answer=Scores(probability=expected),
        again=Scores(probability=again),
    )
    return Packed(files=files, model=loaded, scenario=scenario)


def _spread(rows: int, wanted: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, rows - 1, min(rows, wanted)).round().astype(np.intp))


def input_bounds(features: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what training has seen of each input: bounds or categories, and the share missing."""
    return {str(name): _bounds(column) for name, column in features.items()}


def _bounds(column: pd.Series) -> dict[str, Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        missing = float(np.mean(column.cat.codes.to_numpy() < 0))
        return {"categories": [str(name) for name in column.cat.categories], "missing": missing}
    values = column.to_numpy(np.float64)
    missing, known = float(np.mean(np.isnan(values))), values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    return {"minimum": low, "maximum": high, "missing": missing}


def read_scenario(files: Files) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the rows of the test scenario, and the probability that is expected of each."""
    rows, extra = read_frame(files[SCENARIO_FILE])
    return rows, extra["expected"]
