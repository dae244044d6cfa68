"""The gate on robustness: a score that hinges on slack fails, with the number that it hinges on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from msgspec import structs

from loopcast.api import Feature, GateResult, Scores, ScoreSchema, Subject
from loopcast.api.decision import DecisionSettings
from loopcast.validate.robustness import Robustness, check_robustness

from .conftest import subject_of, with_model


def declared(**changes: object) -> Subject:
    """The subject of scores, whose income has a slack of one tenth."""
    subject = subject_of("score")
    schema = subject.logical_model.schema
    assert isinstance(schema, ScoreSchema)
    income = Feature(kind="numeric", missing=True, slack=0.1)
    changed = structs.replace(schema, features=schema.features | {"income": income})
    model = structs.replace(subject.logical_model, schema=changed, **changes)
    return replace(subject, logical_model=model)


def steep(rows: pd.DataFrame) -> Scores:
    """A tenth more income turns the score around."""
    income = rows["income"].to_numpy(np.float64)
    return Scores(probability=1.0 / (1.0 + np.exp(-20.0 * income)))


def results(subject: Subject, options: Robustness) -> dict[str, GateResult]:
    return {found.test: found for found in check_robustness(subject, options)}


def test_a_score_that_hinges_on_slack_fails_with_the_number() -> None:
    calm = results(declared(), Robustness())
    assert set(calm) == {"all numbers", "income"}
    assert all(found.passed for found in calm.values())
    # 0.5 on the scale of log-odds times a slack of 0.1 moves a probability by 0.0125 at most.
    assert 0.0 < float(calm["income"].measured.split(",")[0].removeprefix("by ")) <= 0.0125
    found = results(with_model(declared(), steep), Robustness())
    assert not found["income"].passed
    assert "by up to 0.1" in found["income"].expectation


def test_flips_are_counted_at_the_cut_off_of_the_logical_model() -> None:
    subject = declared(decision=DecisionSettings(cutoff=0.5))
    found = results(with_model(subject, steep), Robustness(flips=0.01))
    rows = subject.scenarios[0].inputs
    assert isinstance(rows, pd.DataFrame)
    near = float((rows["income"].abs() <= 0.1).mean())
    assert found["decisions"].measured == f"{near:.1%} can be"
    assert found["decisions"].passed is (near <= 0.01)
    never = structs.replace(subject.logical_model, decision=DecisionSettings(cutoff=0.0))
    calm = results(with_model(replace(subject, logical_model=never), steep), Robustness(flips=0.0))
    assert calm["decisions"].passed


def test_without_slack_there_is_nothing_to_move() -> None:
    subject = declared()
    still = subject.scenarios[0].inputs
    assert isinstance(still, pd.DataFrame)
    scenario = replace(subject.scenarios[0], inputs=still.assign(income=1.0))
    [found] = check_robustness(replace(subject, scenarios=(scenario,)), Robustness())
    assert (found.passed, found.measured) == (True, "no number has any")
