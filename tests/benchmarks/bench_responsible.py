"""What reasons and measures of fairness cost, beside shap and fairlearn on the same rows.

Reasons are given with every score, so that their cost a row matters; fairness is measured now and
then, with an interval for each share, for which fairlearn bootstraps.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import Judged, ScoreOutcome
from loopcast.develop.decision import Decision
from loopcast.develop.explain.contributions import contributions_of
from loopcast.develop.explain.reasons import reason_places, reason_texts
from loopcast.develop.fairness.measures import Plan, decided, measure_fairness
from loopcast_credit.boost.encode import encode
from loopcast_credit.templates.boosting import Boosting
from loopcast_credit.templates.scorecard import Scorecard

ROWS, EXPLAINED, REASONS = 1_000_000, 20_000, 4
BOOTSTRAPS = 100


def run(scale: float) -> list[dict[str, Any]]:
    """Measure reasons by a card and by trees, and fairness by two attributes."""
    return [*_reasons(scale), *_fairness(scale)]


def _cpu(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = action()
    return time.process_time() - started, found


def _data(rows: int, seed: int) -> Any:
    from loopcast.api import Feature, ScoreData, ScoreSchema

    rng = np.random.default_rng(seed)
    numbers = {f"x{place}": rng.normal(size=rows) for place in range(12)}
    table = pd.DataFrame(numbers)
    table["home"] = pd.Categorical(rng.choice(["owner", "rent", "other"], rows))
    log_odds = -1.5 + table["x0"] - 0.7 * table["x1"] + 0.5 * table["x2"] * table["x3"]
    event = rng.random(rows) < 1.0 / (1.0 + np.exp(-log_odds - (table["home"] == "rent")))
    features = {name: Feature(kind="numeric") for name in numbers}
    return ScoreData(
        features=table,
        target=event.to_numpy(np.float64),
        weight=np.ones(rows),
        schema=ScoreSchema(
            key="id", target="y", event=1, features=features | {"home": Feature(kind="category")}
        ),
    )


def _fit(template: Any, data: Any) -> Any:
    from loopcast.api import FitContext
    from loopcast.develop.engine import LocalEngine

    context = FitContext(seed=0, engine=LocalEngine())
    [(_, model)] = template.fit({"": data}, template.hyperparameters(), context)
    return model


def _reasons(scale: float) -> Iterator[dict[str, Any]]:
    data = _data(20_000, 1)
    for template, rows in ((Scorecard(), ROWS), (Boosting(), EXPLAINED)):
        model, asked = _fit(template, data), _data(max(int(scale * rows), 1_000), 2)
        scored, _ = _cpu(partial(model.predict, asked.features))
        own, _ = _cpu(partial(_told, model, asked))
        yield {
            "case": f"{REASONS} reasons in words, {template.name}",
            "rows": len(asked.target),
            "cpu_s": own,
            "microseconds_a_row": 1e6 * own / len(asked.target),
            "score_cpu_s": scored,
        }
        if isinstance(template, Boosting):
            yield _shap(model, asked, own)


def _told(model: Any, asked: Any) -> Any:
    found = contributions_of(model, asked.features, asked.features)
    places = reason_places(found, REASONS, "low")
    return reason_texts(places, found.parts, asked.features, asked.schema.features)


def _shap(model: Any, asked: Any, own: float) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(model.booster)
        matrix = encode(model.inputs.inputs, asked.features)
        spent, values = _cpu(lambda: explainer.shap_values(matrix))
    worst = np.abs(
        np.asarray(values) - contributions_of(model, asked.features, asked.features).added
    )
    return {
        "case": "shap.TreeExplainer, contributions alone",
        "rows": len(asked.target),
        "cpu_s": spent,
        "own_over_peer": own / spent,
        "largest_difference": float(worst.max()),
    }


def _fairness(scale: float) -> Iterator[dict[str, Any]]:
    from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate

    rng = np.random.default_rng(3)
    rows = max(int(scale * ROWS), 1_000)
    sex, region = rng.choice(["f", "m"], rows), rng.choice(["a", "b", "c", "d"], rows)
    risk = rng.beta(2.0, 5.0, rows)
    outcome = ScoreOutcome(
        actual=(rng.random(rows) < risk).astype(np.float64), probability=risk, weight=np.ones(rows)
    )
    judged = Judged(
        keys=(pd.Categorical(np.arange(rows)),),
        block=np.arange(rows),
        overall=np.ones(rows, bool),
        attributes={"sex": pd.Categorical(sex), "region": pd.Categorical(region)},
        outcomes={"own": outcome},
    )
    found = decided(judged, outcome, Decision(cutoff=0.3))
    own, _ = _cpu(lambda: measure_fairness(found, ("sex", "region"), Plan()))
    yield {"case": "fairness of 8 groups with intervals", "rows": rows, "cpu_s": own}

    def frame(bootstraps: int) -> Any:
        return MetricFrame(
            metrics={"granted": selection_rate, "opportunity": true_positive_rate},
            y_true=found.deserving,
            y_pred=found.granted,
            sensitive_features={"sex": sex, "region": region},
            n_boot=bootstraps or None,
            ci_quantiles=[0.025, 0.975] if bootstraps else None,
        )

    few = max(int(scale * BOOTSTRAPS), 2)
    alone, _ = _cpu(lambda: frame(0))
    with_intervals, _ = _cpu(lambda: frame(few))
    for name, spent in (("without intervals", alone), (f"{few} bootstraps", with_intervals)):
        yield {
            "case": f"fairlearn MetricFrame, two measures, {name}",
            "rows": rows,
            "cpu_s": spent,
            "own_over_peer": own / spent,
        }
