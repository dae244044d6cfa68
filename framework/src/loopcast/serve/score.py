"""Batch scores: every row of a table, by the version that answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import ScoreSchema
from loopcast.api.score import SET_NAMES
from loopcast.develop.score.prepare import prepare_score
from loopcast.develop.score.trial import checked
from loopcast.serve.answers import Answers
from loopcast.serve.decision import about_decisions, decide, labelling
from loopcast.serve.reasons import explained
from loopcast.settings import ScoreTable

if TYPE_CHECKING:
    from loopcast.api import Scorer
    from loopcast.serve.answers import Question, Responsible

ASIDE = ("version", "chance")
"""Columns of a table of scores that the event log has elsewhere."""


def answer(question: Question, responsible: Responsible) -> Answers:
    """Score the rows of one segment; outcomes in the table are not looked at.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    ModelError
        Where an answer is no probability, or their number is wrong.
    """
    schema, names = question.course.logical_model.schema, question.settings.table
    assert isinstance(schema, ScoreSchema)
    assert isinstance(names, ScoreTable)
    data = prepare_score(question.table, names, schema, question.source, labelled=False)
    versions = responsible.versions([str(key) for key in data.features.index])
    parts = [
        _score(responsible.models[version], data.features.loc[versions == version], version)
        for version in np.unique(versions)
    ]
    scored = pd.concat(parts).loc[data.features.index]
    model = question.course.logical_model
    why = explained(model, schema.features, responsible, data.features, versions)
    decided = decide(scored["probability"], model)
    scored = scored.join(decided)
    return Answers(
        table=scored.join(why.columns).rename_axis(schema.key).reset_index(),
        key=scored.index.to_numpy(),
        version=versions,
        outputs={name: scored[name].to_numpy() for name in scored.columns if name not in ASIDE},
        inputs=_inputs(data.features),
        explanation=why.added,
        labelling=labelling(decided),
        about=about_decisions(decided, scored["probability"].to_numpy(np.float64), model.decision),
    )


def _score(model: Scorer, features: pd.DataFrame, version: str) -> pd.DataFrame:
    """Return version, probability and, where there are some, points and decision sets."""
    found = model.predict(features)
    probability = checked(np.asarray(found.probability, np.float64), features, version)
    columns: dict[str, Any] = {"version": version, "probability": probability}
    if found.points is not None:
        columns["points"] = np.asarray(found.points, np.float64)
    if found.sets is not None:
        columns["decision_set"] = np.array(SET_NAMES, object)[found.sets]
    return pd.DataFrame(columns, index=features.index)


def _inputs(features: pd.DataFrame) -> Mapping[str, Any]:
    """Return the inputs as the event log takes them: numbers, or texts."""
    return {
        str(name): column.astype(object).where(column.notna(), None).to_numpy()
        if isinstance(column.dtype, pd.CategoricalDtype)
        else column.to_numpy()
        for name, column in features.items()
    }
