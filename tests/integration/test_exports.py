"""Every template for scores in every language of production: the same answer to 1e-12."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Feature,
    PortableScorer,
    ScoreData,
    Scorer,
    ScoreSchema,
    Template,
)
from loopcast.deploy.export.calibrated.graph import calibrated_portable
from loopcast.deploy.export.forms import FORMS, Names
from loopcast.deploy.export.probes import probes
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.score import score_features
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.develop.calibration.learn import learn
from loopcast.develop.calibration.maps import Calibration
from loopcast.settings import CalibrationSettings
from loopcast.testing import fit_context
from loopcast_credit import loopcast_templates

TEMPLATES = {template.name: template for template in loopcast_templates()}
TRAP = ["it's", 'say "hi"', "back\\slash", "what??!", "ünï", "a;b", "*/ x", "%d {0}", "two\nlines"]
NAMES = Names(table="applicants' table", key="customer id")
OPTIONS: dict[str, dict[str, Any]] = {
    "credit.scorecard": {"characteristics": {"debt": {"specials": [0.0]}}},
    "credit.boosting": {"rounds": 60},
    "credit.two_stage": {"first": ["debt", 'we"ird']},
    "credit.rules": {
        "rules": [
            {"name": "low", "when": {"in come": {"below": 2.5}}, "odds": 2.0},
            {"name": "mid", "when": {"in come": {"at_least": 2.5, "below": 3.5}}, "odds": 1.1},
            {"name": "high", "when": {"in come": {"at_least": 3.5}}, "odds": 0.7},
            {"name": "none", "when": {"in come": {"missing": True}}, "odds": 3.0},
            {
                "name": "both",
                "when": {'we"ird': {"among": ["it's", "ünï", "*/ x"]}, "debt": {"at_least": 0.0}},
                "odds": 1.7,
            },
            {"name": "unnamed", "when": {'we"ird': {"missing": True}}, "odds": 1.3},
        ]
    },
    "credit.boosted_scorecard": {"rounds": 200},
}


def applications() -> ScoreData:
    """Numbers with few decimals, many on bounds of bins, and categories of awkward names."""
    random = np.random.default_rng(4)
    rows = 3000
    income, debt = random.normal(3.0, 1.0, rows).round(1), random.exponential(2.0, rows).round(1)
    trap = random.integers(0, len(TRAP), rows)
    odds = -1.0 - 0.8 * (income - 3.0) + 0.3 * debt + 0.2 * (trap - 4)
    features = pd.DataFrame(
        {
            "in come": np.where(random.random(rows) < 0.1, np.nan, income),
            "debt": debt,
            'we"ird': pd.Categorical([None if at == 3 else TRAP[at] for at in trap], TRAP),
            "flag": random.integers(0, 2, rows).astype(np.float64),
            "constant": np.ones(rows),
        }
    )
    kinds = {str(name): Feature(kind="numeric", missing=True) for name in features}
    kinds['we"ird'] = Feature(kind="category", missing=True)
    return ScoreData(
        features=features,
        target=(random.random(rows) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64),
        weight=np.ones(rows),
        schema=ScoreSchema(key="customer id", target="bad", event=1, features=kinds),
    )


def fitted(template: Template[Any, Any], data: ScoreData) -> Any:
    options = msgspec.convert(OPTIONS.get(template.name, {}), template.hyperparameters)
    context = fit_context()
    [(_, model)] = template.fit({"": data}, options, context)
    return model


def require_agreement(model: Any, calibration: Calibration | None, data: ScoreData) -> None:
    rows = probes(data.features.iloc[:600])
    expected = model.predict(rows).probability
    if calibration is not None:
        expected = calibration.apply(expected, rows)
    compared = []
    for form in FORMS.values():
        assert isinstance(model, form.protocol)
        _, run = form.write(model, calibration, NAMES)
        for name, found in run(rows):
            np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12, err_msg=name)
            compared.append(name)
    assert compared == ["SQLite", "DuckDB", "compiled C", "onnxruntime"]


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_all_languages_agree(template: Template[Any, Any]) -> None:
    data = applications()
    model = fitted(template, data)
    assert isinstance(model, Scorer)
    require_agreement(model, None, data)


@pytest.mark.parametrize("by", [None, 'we"ird'])
@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_all_languages_agree_once_calibrated(method: Any, by: str | None) -> None:
    """The first model asks for the feature that tells groups apart, the second one does not."""
    data = applications()
    settings = CalibrationSettings(method=method, by=by)
    for name in ("credit.scorecard", "credit.rules" if by is None else "credit.boosting"):
        known = data if name == "credit.scorecard" else without(data, by)
        model = fitted(TEMPLATES[name], known)
        calibration = learn(model.predict(data.features).probability, data, settings)
        assert len(calibration.groups) == (0 if by is None else len(TRAP) - 1)
        require_agreement(model, calibration, data)


@pytest.mark.parametrize("by", [None, 'we"ird'])
@pytest.mark.parametrize("method", [None, "platt", "beta", "isotonic"])
def test_cards_agree_in_single_precision(method: Any, by: str | None) -> None:
    """Probability, calibrated or not, and points, of every template whose models are cards."""
    data = applications()
    rows = probes(data.features.iloc[:600])
    for name in ("credit.scorecard", "credit.logistic", "credit.boosted_scorecard"):
        model = fitted(TEMPLATES[name], data)
        found, unseen = model.predict(rows), model.predict(data.features).probability
        assert isinstance(model, PortableScorer)
        portable = model.to_graph()
        expected = found.probability
        if method is not None:
            settings = CalibrationSettings(method=method, by=by)
            calibration = learn(unseen, data, settings)
            portable = calibrated_portable(portable, calibration)
            expected = calibration.apply(expected, rows)
        [session] = sessions(write_tflite(portable.graph).content)
        answered, _ = session.run(score_features(portable.recipe, rows))
        np.testing.assert_allclose(answered[:, 0], expected, rtol=0, atol=5e-6, err_msg=name)
        np.testing.assert_allclose(answered[:, 1], found.points, rtol=1e-6, err_msg=name)


def without(data: ScoreData, name: str | None) -> ScoreData:
    return data if name is None else replace(data, features=data.features.drop(columns=name))
