"""What every template for scores promises, and what it reaches on real data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ConfigurationError, DataError, ModelError, ScoreData, Template
from loopcast_credit import loopcast_templates
from loopcast_credit.bins.bins import NumericBins
from loopcast_credit.bins.options import Characteristic
from loopcast_credit.rules.hyperparameters import Condition, Rule

from ..samples import additive, auc, cross_validated, fitted, part

TEMPLATES = {template.name: template for template in loopcast_templates()}
SCORECARD, LOGISTIC = TEMPLATES["credit.scorecard"], TEMPLATES["credit.logistic"]
STUMPS, BOOSTING = TEMPLATES["credit.boosted_scorecard"], TEMPLATES["credit.boosting"]
cards = pytest.mark.parametrize(
    "template", [SCORECARD, LOGISTIC, STUMPS], ids=["scorecard", "logistic", "stumps"]
)
OPTIONS: dict[str, dict[str, Any]] = {
    "credit.two_stage": {"first": ("Records", "Income", "Job")},
    "credit.rules": {
        "rules": (
            Rule(name="bad records", when={"Records": Condition(among=("yes",))}, odds=4.0),
            Rule(name="no income said", when={"Income": Condition(missing=True)}, odds=3.0),
            Rule(
                name="new and poor",
                when={"Seniority": Condition(below=3.0), "Income": Condition(below=150.0)},
                odds=3.0,
            ),
            Rule(name="old hand", when={"Seniority": Condition(at_least=10.0)}, odds=0.4),
            Rule(name="odd job", when={"Job": Condition(among=("partime", "others"))}, odds=3.0),
        )
    },
}
every = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


def options(template: Template[Any, Any]) -> dict[str, Any]:
    """What a template has no default for."""
    return OPTIONS.get(template.name, {})


@every
def test_a_loaded_model_is_the_fitted_one(template: Template[Any, Any], credit: ScoreData) -> None:
    model = fitted(template, credit, **options(template))
    again = template.load(model.save())
    scores = model.predict(credit.features)
    assert np.array_equal(scores.probability, again.predict(credit.features).probability)
    assert again.save() == model.save()
    assert auc(credit.target, scores.probability) > 0.7


@every
def test_rows_that_training_never_saw_have_a_score(
    template: Template[Any, Any], credit: ScoreData
) -> None:
    model = fitted(template, credit, **options(template))
    odd = credit.features.iloc[:6].copy()
    numbers = [name for name in odd if odd[name].dtype.kind == "f"]
    odd.loc[odd.index[0], numbers] = np.nan
    odd.loc[odd.index[1], numbers] = 1e12
    odd.loc[odd.index[2], numbers] = -1e12
    for name in odd.columns.difference(numbers):
        odd[name] = pd.Series(["palace", None, *["no"] * 4], odd.index, dtype="category")
    probability = model.predict(odd).probability
    assert ((probability > 0.0) & (probability < 1.0)).all()
    assert len(model.predict(odd.iloc[:0]).probability) == 0


@every
def test_a_missing_column_is_named(template: Template[Any, Any], credit: ScoreData) -> None:
    model = fitted(template, credit, **options(template))
    with pytest.raises(ModelError, match="no column 'Income'"):
        model.predict(credit.features.drop(columns="Income"))


@every
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_single_class_is_refused(
    template: Template[Any, Any], credit: ScoreData, outcome: float
) -> None:
    data = replace(credit, target=np.full(len(credit.target), outcome))
    with pytest.raises(DataError, match=r"column 'default': of 4454 rows .* needs 20 of each"):
        fitted(template, data, **options(template))


@every
def test_three_rows_are_refused(template: Template[Any, Any], credit: ScoreData) -> None:
    with pytest.raises(DataError, match="of 3 rows with a known outcome"):
        fitted(template, part(credit, np.arange(3)), **options(template))


@every
def test_unknown_outcomes_and_rows_without_weight_teach_nothing(
    template: Template[Any, Any], credit: ScoreData
) -> None:
    said = options(template)
    half = np.arange(len(credit.target)) % 2 == 0
    unknown = replace(credit, target=np.where(half, credit.target, np.nan))
    weightless = replace(credit, weight=half.astype(float))
    expected = fitted(template, part(credit, np.flatnonzero(half)), **said).save()
    assert fitted(template, unknown, **said).save() == expected
    assert fitted(template, weightless, **said).save() == expected


@cards
def test_contributions_add_up_and_are_zero_on_average(
    template: Template[Any, Any], credit: ScoreData
) -> None:
    model = additive(template, credit)
    contributions = model.contributions(credit.features)
    total = model.card.intercept + contributions.sum(axis=1)
    np.testing.assert_allclose(total, model.log_odds(credit.features), atol=1e-12)
    np.testing.assert_allclose(contributions.mean(axis=0), 0.0, atol=1e-9)


@every
def test_what_a_scorer_explains_adds_up_to_its_log_odds(
    template: Template[Any, Any], credit: ScoreData
) -> None:
    model = fitted(template, credit, **options(template))
    found = model.explain(credit.features)
    probability = model.predict(credit.features).probability
    log_odds = np.log(probability / (1.0 - probability))
    np.testing.assert_allclose(found.base + found.added.sum(axis=1), log_odds, atol=1e-9)
    assert found.added.shape == (len(credit.features), len(found.parts))
    assert model.explain(credit.features.iloc[:0]).added.shape == (0, len(found.parts))


@cards
def test_an_unseen_category_and_an_unseen_gap_count_as_the_average_row(
    template: Template[Any, Any], credit: ScoreData
) -> None:
    model = additive(template, credit)
    odd = credit.features.iloc[:2].copy()
    odd["Records"] = pd.Series(["perhaps", None], odd.index, dtype="category")
    odd["Amount"] = np.nan
    contributions = pd.DataFrame(model.contributions(odd), columns=model.card.features)
    assert (contributions[["Records", "Amount"]] == 0.0).all(axis=None)


def test_weights_count_as_repeated_rows(credit: ScoreData) -> None:
    twice = np.repeat(np.arange(len(credit.target)), 2)
    options = {"characteristics": {}, "bins": 6, "resolution": 0.0}
    repeated = additive(SCORECARD, part(credit, twice), **options)
    weighted = additive(
        SCORECARD, replace(credit, weight=np.full(len(credit.target), 2.0)), **options
    )
    np.testing.assert_allclose(
        weighted.log_odds(credit.features), repeated.log_odds(credit.features), atol=1e-5
    )


@pytest.mark.parametrize("weights", ["smooth", "woe"])
def test_risk_moves_as_the_expert_says(credit: ScoreData, weights: str) -> None:
    said = {
        "Income": Characteristic(monotone="decreasing"),
        "Price": Characteristic(monotone="increasing"),
    }
    model = additive(SCORECARD, credit, weights=weights, characteristics=said, resolution=0.0)
    for effect in model.card.effects:
        if effect.bins.name in said:
            values = np.diff(effect.values[: effect.bins.body])
            assert (values <= 0 if effect.bins.name == "Income" else values >= 0).all()


def test_everything_is_monotone_on_request(credit: ScoreData) -> None:
    model = additive(SCORECARD, credit, monotone="auto")
    for effect in model.card.effects:
        if isinstance(effect.bins, NumericBins):
            steps = np.diff(effect.values[: effect.bins.body])
            assert (steps >= 0).all() or (steps <= 0).all()


def test_an_experts_cuts_are_the_cards(credit: ScoreData) -> None:
    said = {"Age": Characteristic(cuts=(25.0, 40.0)), "Debt": Characteristic(specials=(0.0,))}
    model = additive(SCORECARD, credit, characteristics=said)
    bins = {effect.bins.name: effect.bins for effect in model.card.effects}
    assert bins["Age"].labels() == ["< 25", "25 to < 40", "≥ 40", "missing"]
    assert "= 0" in bins["Debt"].labels()


def test_the_first_stage_says_the_same_whatever_comes_second(credit: ScoreData) -> None:
    two_stage = TEMPLATES["credit.two_stage"]
    first = ("Records", "Income")
    whole = additive(two_stage, credit, first=first)
    fewer = replace(credit, features=credit.features.drop(columns=["Seniority", "Price"]))
    assert whole.card.effects[:2] == additive(two_stage, fewer, first=first).card.effects[:2]
    alone = additive(SCORECARD, replace(credit, features=credit.features[list(first)]))
    assert whole.card.effects[:2] == alone.card.effects
    assert sorted(whole.card.features) == sorted(credit.features.columns)
    assert cross_validated(two_stage, credit, first=first) > 0.83


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "first: name some of the features"),
        ({"first": ("Incom",)}, "'Incom' is none of Seniority"),
        ({"first": ("Home",), "characteristics": {"x": Characteristic()}}, "'x' is none of"),
    ],
)
def test_stages_that_do_not_fit_are_refused(
    said: dict[str, Any], message: str, credit: ScoreData
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        fitted(TEMPLATES["credit.two_stage"], credit, **said)


def test_points_double_the_odds(credit: ScoreData) -> None:
    scores = additive(SCORECARD, credit).predict(credit.features)
    assert scores.points is not None
    odds = (1.0 - scores.probability) / scores.probability
    np.testing.assert_allclose(odds, 50.0 * 2.0 ** ((scores.points - 600.0) / 20.0), rtol=1e-9)


@pytest.mark.parametrize(
    ("template", "said", "least"),
    [
        (SCORECARD, {}, 0.838),
        (SCORECARD, {"monotone": "auto"}, 0.838),
        (STUMPS, {}, 0.844),
        (BOOSTING, {}, 0.844),
        (LOGISTIC, {}, 0.836),
    ],
)
def test_the_reached_auc_on_applications(
    template: Template[Any, Any], said: dict[str, Any], least: float, credit: ScoreData
) -> None:
    assert cross_validated(template, credit, **said) >= least


@pytest.mark.parametrize(
    ("template", "least"),
    [
        (SCORECARD, 0.770),
        pytest.param(STUMPS, 0.778, marks=pytest.mark.slow),
        pytest.param(BOOSTING, 0.782, marks=pytest.mark.slow),
    ],
)
def test_the_reached_auc_on_clients(
    template: Template[Any, Any], least: float, taiwan: ScoreData
) -> None:
    assert cross_validated(template, taiwan) >= least
