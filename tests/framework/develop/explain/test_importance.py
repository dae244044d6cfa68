"""Importance by shuffling: as scikit-learn computes it, with errors that hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance as by_sklearn
from sklearn.metrics import roc_auc_score

from loopcast.api import MetricDefinition, ScoreOutcome
from loopcast.develop.explain.importance import permutation_importance
from loopcast.develop.score.metrics import loopcast_metrics

from .models import Formula, rows
from .test_dependence import Wrapped

METRICS = {metric.name: metric for metric in loopcast_metrics()}


def judged(count: int, seed: int) -> tuple[pd.DataFrame, ScoreOutcome]:
    table = rows(count, seed).drop(columns="late").assign(late=0.0)
    probability = Formula(0.5).probability(table)
    actual = (np.random.default_rng(seed).random(count) < probability).astype(np.float64)
    return table, ScoreOutcome(actual=actual, probability=probability, weight=np.ones(count))


def importance(
    metric: MetricDefinition, count: int, seed: int, repeats: int = 3
) -> dict[str, float]:
    table, outcome = judged(count, seed)
    found = permutation_importance(
        Formula(0.5).probability, table, outcome, metric, seed=seed, repeats=repeats
    )
    return {one.feature: one.loss.value for one in found}


def test_it_is_that_of_scikit_learn_but_for_what_was_drawn() -> None:
    table, outcome = judged(1500, 1)
    expected = by_sklearn(
        Wrapped(), table, outcome.actual, n_repeats=20, random_state=0,
        scoring=lambda model, x, y: roc_auc_score(y, model.predict_proba(x)[:, 1]),
    )  # fmt: skip
    found = importance(METRICS["auc"], 1500, 1, repeats=20)
    for name, mean, spread in zip(
        table.columns, expected.importances_mean, expected.importances_std, strict=True
    ):
        assert found[name] == pytest.approx(mean, abs=max(4 * spread / 20**0.5, 1e-12))


def test_what_is_not_used_costs_nothing_and_the_most_important_comes_first() -> None:
    for metric in ("auc", "log_loss", "brier"):
        found = importance(METRICS[metric], 800, 2)
        assert found["late"] == 0.0
        assert next(iter(found)) == "income"
        assert found["income"] > 0.0, "better is positive, whatever the metric's direction"


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_the_error_is_that_of_other_rows_and_shuffles(metric: str) -> None:
    values, errors = [], []
    for seed in range(40):
        table, outcome = judged(300, seed)
        found = permutation_importance(
            Formula(0.5).probability, table, outcome, METRICS[metric], seed=seed
        )
        income = next(one.loss for one in found if one.feature == "income")
        values.append(income.value)
        errors.append(income.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)
