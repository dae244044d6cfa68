"""When reject inference helps and when it harms: accepted by an old model, the rest hidden.

A fifth of the clients teaches an old model, by which a half applies: whom it refuses loses the
outcome. The rest, all of them, is what new models are judged on. `all seen`: the new model sees
what the old one saw. `one unseen`: the payment status of the last month, by which the old model
decided, is not in the table any more. External data is how a like loan went elsewhere, which is
wrong for a fifth of the clients. AUC and the calibration in the large (mean score over share
of bad) are on all applicants and on those the old model would refuse, with the standard error of
the mean over repetitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_credit import TAIWAN, TEMPLATES, typed  # type: ignore[import-not-found]
from numpy.typing import NDArray

from loopcast.api import Feature, FitContext, ScoreData, ScoreSchema
from loopcast.develop.score.weights import learning_weight
from loopcast_credit import loopcast_preparations

OLD = ["limit_bal", "age", "pay_status_1", "pay_status_2", "bill_amt1"]
HIDDEN = "pay_status_1"
ACCEPTED = (0.4, 0.7)
BUDGETS = (0.02, 0.05)
WRONG = 0.2
REPEATS = 10
PREPARATIONS = {one.name: one for one in loopcast_preparations()}
METHODS: list[tuple[str, dict[str, Any]]] = [
    ("credit.reweighting", {}),
    ("credit.augmentation", {}),
    ("credit.fuzzy_parcelling", {}),
    ("credit.fuzzy_parcelling", {"odds": 1.5}),
    ("credit.parcelling", {}),
    ("credit.parcelling", {"rate": 1.5}),
]
Row = dict[str, Any]
Floats = NDArray[np.float64]


def run(scale: float) -> list[Row]:
    """Judge every way to learn from accepted applicants, on all applicants."""
    table = pd.read_csv(Path(TAIWAN)).drop(columns="id")
    event = table.pop("default_next_month").to_numpy(np.float64)
    found: list[Row] = []
    for repeat in range(max(2, round(REPEATS * scale))):
        for accepted in ACCEPTED:
            found += _world(typed(table), event, accepted, np.random.default_rng(repeat))
    keys = ["regime", "accepted", "how"]
    groups = pd.DataFrame(found).groupby(keys, sort=False)
    mean = groups.mean()
    error = groups["auc"].sem().rename("auc_se")
    gain = groups["gain"].sem().rename("gain_se")
    summed = mean.join([error, gain]).reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in summed]


def _world(
    table: pd.DataFrame, event: Floats, accepted: float, random: np.random.Generator
) -> Iterator[Row]:
    part = random.choice(3, len(table), p=[0.2, 0.5, 0.3])
    old = _fitted(_data(table.loc[part == 0, OLD], event[part == 0]))
    risk = old.predict(table).probability
    cut_off = np.quantile(risk[part == 1], accepted)
    for regime, hidden in (("all seen", []), ("one unseen", [HIDDEN])):
        seen = table.drop(columns=hidden)
        here, test = part == 1, part == 2
        judged = (seen[test], event[test], risk[test] >= cut_off)
        applied = _data(seen[here], event[here])
        passed = risk[here] < cut_off
        base: float | None = None
        for how, data in _ways(applied, passed, random):
            row = _judged(_fitted(data), *judged)
            base = row["auc"] if base is None else base
            gain = {"gain": row["auc"] - base}
            yield {"regime": regime, "accepted": accepted, "how": how, **row, **gain}


def _ways(
    applied: ScoreData, passed: NDArray[np.bool_], random: np.random.Generator
) -> Iterator[tuple[str, ScoreData]]:
    hidden = replace(applied, target=np.where(passed, applied.target, np.nan), accepted=passed)
    yield "accepted only", hidden
    for name, options in METHODS:
        preparation = PREPARATIONS[name]
        said = "".join(f" {key}={value}" for key, value in options.items())
        yield name + said, preparation.prepare(hidden, preparation.options(**options), 0)
    preparation = PREPARATIONS["credit.external_calibration"]
    elsewhere = np.where(random.random(len(passed)) < WRONG, 1.0 - applied.target, applied.target)
    beside = pd.DataFrame({"elsewhere": elsewhere}, applied.features.index)
    outside = replace(hidden, attributes=beside)
    yield preparation.name, preparation.prepare(outside, preparation.options(column="elsewhere"), 0)
    draw = random.random(len(passed))
    for budget in BUDGETS:
        drawn = ~passed & (draw < budget)
        known = replace(applied, target=np.where(passed | drawn, applied.target, np.nan))
        chance = np.where(drawn, budget, 1.0)
        yield (
            f"{budget:.0%} at random",
            replace(known, weight=learning_weight(known.weight, chance)),
        )
        yield f"{budget:.0%} at random, no weights", known
        yield f"{budget:.0%} at random, full weights", replace(known, weight=1.0 / chance)
    yield "oracle", applied


def _data(features: pd.DataFrame, event: Floats) -> ScoreData:
    kinds = {str(name): Feature(kind="numeric", missing=True) for name in features}
    schema = ScoreSchema(key="id", target="event", event=1, features=kinds)
    return ScoreData(features=features, target=event, weight=np.ones(len(event)), schema=schema)


def _fitted(data: ScoreData) -> Any:
    template = TEMPLATES["credit.scorecard"]
    context = FitContext(seed=0, engine=None)  # type: ignore[arg-type]
    [(_, model)] = template.fit({"": data}, template.hyperparameters(), context)
    return model


def _judged(model: Any, rows: pd.DataFrame, event: Floats, refused: NDArray[np.bool_]) -> Row:
    from sklearn.metrics import roc_auc_score

    probability = model.predict(rows).probability
    return {
        "auc": float(roc_auc_score(event, probability)),
        "auc_of_refused": float(roc_auc_score(event[refused], probability[refused])),
        "predicted_over_actual": float(probability.mean() / event.mean()),
        "of_refused": float(probability[refused].mean() / event[refused].mean()),
    }
