from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ConfigurationError, IntegrityError, ModelError, ScoreData
from loopcast_credit.additive.effects import alike_starts
from loopcast_credit.bins.bins import NumericBins
from loopcast_credit.boost.card import stumps_of
from loopcast_credit.boost.encode import Input, encode, learn_inputs
from loopcast_credit.boost.hyperparameters import BoostedScorecardParameters
from loopcast_credit.boost.model import BoostedScorer
from loopcast_credit.boost.train import train
from loopcast_credit.boost.trees import Split, Tree, trees_of
from loopcast_credit.templates.boosted_scorecard import BoostedScorecard
from loopcast_credit.templates.boosting import Boosting

from ..samples import additive, fitted


def answer(tree: Tree, row: list[float]) -> float:
    """A tree's answer by the definition of a split."""
    while isinstance(tree, Split):
        x = row[tree.feature]
        left = tree.missing_left if np.isnan(x) else x <= tree.threshold
        tree = tree.left if left else tree.right
    return tree


def test_the_trees_are_what_lightgbm_answers(credit: ScoreData) -> None:
    model = fitted(Boosting(), credit, rounds=60)
    assert isinstance(model, BoostedScorer)
    rows = credit.features.iloc[:50].copy()
    rows.iloc[0, [0, 2, 7, 8]] = np.nan
    matrix = encode(model.inputs.inputs, rows)
    expected = [sum(answer(tree, row) for tree in model.trees) for row in matrix.tolist()]
    np.testing.assert_allclose(model.log_odds(rows), np.array(expected), rtol=1e-12)


def test_the_card_is_the_sum_of_its_stumps(credit: ScoreData) -> None:
    parameters = BoostedScorecardParameters(resolution=0.0)
    card = additive(BoostedScorecard(), credit, resolution=0.0)
    weight = np.ones(len(credit.target))
    inputs = learn_inputs(credit.features, credit.target, weight)
    matrix = encode(inputs, credit.features)
    booster = train(matrix, credit.target, weight, inputs, parameters, leaves=2, seed=0)
    expected = np.asarray(booster.predict(matrix, raw_score=True), np.float64)
    # A category that is missing in a row or two is a bin of few rows, as any other.
    np.testing.assert_allclose(card.log_odds(credit.features), expected, atol=1e-9)
    assert len(stumps_of(trees_of(booster), 0)) > 10


def test_a_readers_resolution_bounds_the_change(credit: ScoreData) -> None:
    fine = additive(BoostedScorecard(), credit, resolution=0.0)
    short = additive(BoostedScorecard(), credit, resolution=1.0)
    bins = [sum(effect.bins.size for effect in model.card.effects) for model in (fine, short)]
    assert bins[1] < 0.7 * bins[0]
    change = fine.contributions(credit.features) - short.contributions(credit.features)
    assert np.abs(change).max() < 2.0 / short.card.scale.factor
    for effect in short.card.effects:
        if isinstance(effect.bins, NumericBins):
            own = np.array(effect.values[: effect.bins.body])
            assert alike_starts(own, 0.0) == list(range(len(own)))


def test_risk_moves_as_the_expert_says(credit: ScoreData) -> None:
    said = {"Income": "decreasing", "Amount": "increasing"}
    card = additive(BoostedScorecard(), credit, monotone=said).card
    steps = {e.bins.name: np.diff(e.values[: e.bins.body]) for e in card.effects}
    assert (steps["Income"] <= 0).all()
    assert (steps["Amount"] >= 0).all()
    model = fitted(Boosting(), credit, monotone=said)
    rows = credit.features.iloc[:300]
    richer = rows.assign(Income=rows["Income"] + 50.0)
    assert (model.log_odds(richer) <= model.log_odds(rows) + 1e-12)[rows["Income"].notna()].all()


@pytest.mark.parametrize("name", ["Incom", "Home"])
def test_a_direction_needs_a_number(credit: ScoreData, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"monotone: '{name}' is no number"):
        fitted(Boosting(), credit, monotone={name: "increasing"})


def test_the_seed_decides_and_nothing_else(credit: ScoreData) -> None:
    assert fitted(Boosting(), credit, rounds=20).text == fitted(Boosting(), credit, rounds=20).text


def test_missing_is_the_median_where_training_had_none() -> None:
    x = pd.DataFrame(
        {"a": [3.0, 1.0, 2.0, 9.0], "b": [1.0, np.nan, 1.0, 1.0], "c": list("zzyz")}
    ).astype({"c": "category"})
    event = np.array([1.0, 1.0, 0.0, 1.0])
    a, b, c = learn_inputs(x, event, np.ones(4))
    assert a == Input(name="a", fill=2.0)
    assert b == Input(name="b")
    assert c == Input(name="c", categories=("y", "z"), fill=1.0)
    new = pd.DataFrame({"a": [np.nan], "b": [np.nan], "c": pd.Categorical(["unseen"])})
    np.testing.assert_array_equal(encode((a, b, c), new), [[2.0, np.nan, 1.0]])


def test_damaged_files_are_refused(credit: ScoreData) -> None:
    files = fitted(Boosting(), credit, rounds=5).save()
    with pytest.raises(IntegrityError, match="not the inputs"):
        Boosting().load({**files, "inputs.json": b"{}"})
    with pytest.raises(ModelError, match="not trees of LightGBM"):
        Boosting().load({**files, "trees.txt": b"oak"}).predict(credit.features)


def test_without_lightgbm_it_says_what_to_install(
    credit: ScoreData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'loopcast-credit\[boosting\]'"):
        fitted(Boosting(), replace(credit))
