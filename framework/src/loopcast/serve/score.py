"""Batch scores: every row of a table, by the version that answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import ScoreSchema
from loopcast.api.score import SET_NAMES
from loopcast.develop.score.inputs import columns_of
from loopcast.develop.score.prepare import prepare_score
from loopcast.develop.score.trial import checked
from loopcast.plugins import calling
from loopcast.serve.answer_files import arrow
from loopcast.serve.answers import Answers
from loopcast.serve.decision import about_decisions, decide, labelling
from loopcast.serve.reasons import explained
from loopcast.serve.treatment import about_treatment
from loopcast.settings import ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Applicability, ScoreData, Scorer
    from loopcast.serve.answers import Posed, Question, Responsible

ASIDE = ("version", "chance", "action", "reason")
"""Columns of a table of scores that the event log has elsewhere, or not at all."""


def prepare(question: Question) -> ScoreData:
    """Return the rows to score; outcomes in the table are not looked at.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    """
    schema, names = question.course.logical_model.schema, question.settings.table
    assert isinstance(schema, ScoreSchema)
    assert isinstance(names, ScoreTable)
    return prepare_score(question.table, names, schema, question.source, labelled=False)


def answer(posed: Posed) -> Answers:
    """Score the rows of one segment.

    Raises
    ------
    ModelError
        Where an answer is no probability, or their number is wrong.
    """
    data: ScoreData = posed.data
    responsible, model, schema = posed.responsible, posed.question.course.logical_model, data.schema
    versions = responsible.versions(data.features.index)
    parts = [
        _score(responsible, version, data.features.loc[versions == version], model.applicability)
        for version in responsible.serving.candidates
    ]
    scored = parts[0] if len(parts) == 1 else pd.concat(parts).loc[data.features.index]
    before = _refused_before(responsible, versions, data)
    scored = _without(scored, before)
    own = scored.pop("own").to_numpy(bool)
    why = explained(model, schema.features, responsible, data.features, versions, answered=own)
    decided = decide(scored["probability"], model, before)
    scored = scored.join(decided)
    said = scored["probability"].to_numpy(np.float64)
    decisions = about_decisions(decided, said, model.decision, data.amount)
    return Answers(
        table=arrow(scored.join(why.columns).rename_axis(schema.key).reset_index()),
        key=scored.index.to_numpy(),
        version=versions,
        action=scored["action"],
        outputs={name: scored[name].to_numpy() for name in scored.columns if name not in ASIDE},
        inputs=_inputs(data.features),
        explanation=why.added,
        labelling=labelling(decided),
        about={**decisions, **about_treatment(scored[before.isna()])},
    )


def _score(
    responsible: Responsible, version: str, features: pd.DataFrame, rules: Applicability
) -> pd.DataFrame:
    """Return version, outputs, action and reason, and whether the version itself has answered."""
    treated = responsible.treat(version, columns_of(features), rules)
    asked = (
        (responsible.models[version], treated.own),
        (responsible.stand_ins.get(version), treated.handed_on),
    )
    parts = [
        _outputs(model, features if rows.all() else features.loc[rows], version)
        for model, rows in asked
        if model is not None and rows.any()
    ]
    outputs = pd.concat(parts) if parts else pd.DataFrame(columns=["probability"], dtype=float)
    columns = {"version": version, **outputs.reindex(features.index), **treated.columns()}
    return pd.DataFrame({**columns, "own": treated.own}, index=features.index)


def _refused_before(
    responsible: Responsible, versions: NDArray[np.str_], data: ScoreData
) -> pd.Series[Any]:
    """Return the logical model that refuses each row before its version is asked; else missing."""
    found = pd.Series(None, index=data.features.index, dtype=object)
    for version, region in responsible.regions.items():
        own = np.flatnonzero(versions == version)
        refused = own[region.refused(data.take(own))] if len(own) else own
        found.iloc[refused] = region.logical_model
    return found


def _without(scored: pd.DataFrame, before: pd.Series[Any]) -> pd.DataFrame:
    """Return scores without those of rows that another logical model has refused before."""
    barred = before.notna()
    if not barred.any():
        return scored
    kept = {"version": scored["version"], "own": scored["own"] & ~barred}
    kept["action"] = scored["action"].mask(barred, "refused")
    kept["reason"] = scored["reason"].mask(barred, "refused by " + before)
    return scored.mask(barred).assign(**kept)


def _outputs(model: Scorer, features: pd.DataFrame, version: str) -> pd.DataFrame:
    """Return the probability and, where there are some, points and decision sets."""
    with calling(f"of {version}", "predict"):
        found = model.predict(features)
        said = np.asarray(found.probability, np.float64)
    probability = checked(said, features, version)
    columns: dict[str, Any] = {"probability": probability}
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


STEPS = (answer,)
