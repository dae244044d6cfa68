"""Data and small tools that the tests of the credit plugin share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import Feature, LoopcastError, ScoreData, ScoreSchema, Template
from loopcast.testing import fit_context
from loopcast_credit.additive.scorer import AdditiveScorer


def score_data(
    features: pd.DataFrame, target: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> ScoreData:
    """Rows of any columns: strings are categories, everything else numbers."""
    kinds = {
        str(name): Feature(
            kind="numeric" if column.dtype.kind in "fiu" else "category", missing=True
        )
        for name, column in features.items()
    }
    typed = {
        name: features[name].astype("float64" if kind.kind == "numeric" else "category")
        for name, kind in kinds.items()
    }
    return ScoreData(
        features=pd.DataFrame(typed),
        target=target,
        weight=np.ones(len(target)) if weight is None else weight,
        schema=ScoreSchema(key="id", target="default", event="bad", features=kinds),
    )


def part(data: ScoreData, rows: NDArray[Any]) -> ScoreData:
    """Some rows."""
    return replace(
        data,
        features=data.features.iloc[rows],
        target=data.target[rows],
        weight=data.weight[rows],
    )


def fitted(template: Template[ScoreData, Any], data: ScoreData, **options: Any) -> Any:
    """The model of a template, or the error that stopped it."""
    context = fit_context()
    [(_, model)] = template.fit({"": data}, template.hyperparameters(**options), context)
    if isinstance(model, LoopcastError):
        raise model
    return model


def additive(template: Template[ScoreData, Any], data: ScoreData, **options: Any) -> AdditiveScorer:
    """The same for a template whose models are cards."""
    model = fitted(template, data, **options)
    assert isinstance(model, AdditiveScorer)
    return model


def auc(event: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Chance that a row with the event scores above one without, from the ranks of the former."""
    ranks = pd.Series(score).rank().to_numpy()
    high = event == 1.0
    pairs = high.sum() * (~high).sum()
    return float((ranks[high].sum() - high.sum() * (high.sum() + 1) / 2) / pairs)


def cross_validated(
    template: Template[ScoreData, Any], data: ScoreData, folds: int = 5, **options: Any
) -> float:
    """Mean AUC over folds of rows drawn with a fixed seed, stratified by the outcome."""
    random = np.random.default_rng(0)
    fold = np.empty(len(data.target), int)
    for outcome in (0.0, 1.0):
        rows = np.flatnonzero(data.target == outcome)
        fold[random.permutation(rows)] = np.arange(len(rows)) % folds
    scores = []
    for one in range(folds):
        model = fitted(template, part(data, np.flatnonzero(fold != one)), **options)
        test = part(data, np.flatnonzero(fold == one))
        scores.append(auc(test.target, model.predict(test.features).probability))
    return float(np.mean(scores))
