"""How calibrated scores are, and whether decision sets keep their promise, on rows never seen.

Five outer folds of real data; in each, a template is fitted on the others, calibrated out of fold,
and judged on the fold by its expected calibration error and log loss, for each method. Decision
sets are compared with those of MAPIE on the same rows; `uv` runs it in an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_credit import TEMPLATES, _folds, _tables  # type: ignore[import-not-found]

from loopcast.api import (
    Feature,
    FitContext,
    ScoreData,
    ScoreOutcome,
    Scorer,
    ScoreSchema,
    SetSettings,
)
from loopcast.api.score import BOTH, EVENT, OTHER
from loopcast.develop.calibration.learn import learn
from loopcast.develop.score.metrics import auc, calibration_error, log_loss
from loopcast.develop.score.sets import learn_sets
from loopcast.develop.score.unseen import out_of_fold
from loopcast.settings import CalibrationSettings

HERE = Path(__file__).resolve().parent
NAMES = ("credit.scorecard", "credit.boosted_scorecard", "credit.boosting", "credit.logistic")
METHODS = ("none", "platt", "beta", "isotonic", "auto")
CONFIDENCE = 0.9
Row = dict[str, Any]


def run(scale: float) -> list[Row]:
    """Judge each template with each method on two tables, then decision sets beside MAPIE."""
    rows: list[Row] = []
    for name, table in _tables(scale):
        fold = _folds(table["event"].to_numpy())
        rows += [{"data": name} | row for row in _calibrated(table, fold)]
        rows += [{"data": name} | row for row in _sets(table, fold)]
    return rows


def _data(table: pd.DataFrame, rows: np.ndarray[Any, Any]) -> ScoreData:
    features = table.loc[rows].drop(columns="event")
    features.index = features.index.astype(str)
    known = {str(name): Feature(kind="numeric", missing=True) for name in features}
    return ScoreData(
        features=features,
        target=table.loc[rows, "event"].to_numpy(),
        weight=np.ones(len(features)),
        schema=ScoreSchema(key="id", target="event", event=1, features=known),
    )


def _fit(name: str, data: ScoreData) -> Scorer:
    template = TEMPLATES[name]
    context = FitContext(seed=0, engine=None)  # type: ignore[arg-type]
    [(_, model)] = template.fit({"": data}, template.hyperparameters(), context)
    assert isinstance(model, Scorer)
    return model


def _unseen(name: str, data: ScoreData) -> np.ndarray[Any, Any]:
    found = out_of_fold({"": data}, lambda parts: {"": _fit(name, parts[""])}, 5, 0, name)[""]
    assert not isinstance(found, Exception)
    return found


def _calibrated(table: pd.DataFrame, fold: np.ndarray[Any, Any]) -> Iterator[Row]:
    for name in NAMES:
        said = {method: np.empty(len(table)) for method in METHODS}
        for one in np.unique(fold):
            training, judged = _data(table, fold != one), _data(table, fold == one)
            model, unseen = _fit(name, training), _unseen(name, training)
            raw = model.predict(judged.features).probability
            said["none"][fold == one] = raw
            for method in METHODS[1:]:
                settings = CalibrationSettings(method=method)  # type: ignore[arg-type]
                calibration = learn(unseen, training, settings)
                said[method][fold == one] = calibration.apply(raw, judged.features)
        for method, probability in said.items():
            outcome = ScoreOutcome(
                actual=table["event"].to_numpy(),
                probability=probability,
                weight=np.ones(len(table)),
            )
            yield {
                "what": f"{name} {method}",
                "ece": calibration_error(outcome),
                "log_loss": float(log_loss(outcome).mean()),
                "auc": auc(outcome),
            }


def _sets(table: pd.DataFrame, fold: np.ndarray[Any, Any]) -> Iterator[Row]:
    """Compare with MAPIE on the same scores: calibrated by one fold, judged on another."""
    name = "credit.scorecard"
    training, known, new = (_data(table, rows) for rows in (fold > 1, fold == 0, fold == 1))
    model = _fit(name, training)
    p, judged = (model.predict(part.features).probability for part in (known, new))
    ours = learn_sets(p, known, SetSettings(confidence=CONFIDENCE)).codes(judged, new.features)
    yield {"what": f"{name} sets by outcome", **_kept(ours, new.target)}
    folded = learn_sets(_unseen(name, training), training, SetSettings(confidence=CONFIDENCE))
    pooled = folded.codes(judged, new.features)
    yield {"what": f"{name} sets out of fold", **_kept(pooled, new.target)}
    yield {"what": "MAPIE, one quantile for both outcomes", **_mapie(p, known, judged, new)}


def _kept(codes: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> Row:
    holds = (codes & np.where(actual == 1.0, EVENT, OTHER)) > 0
    return {
        "coverage": float(holds.mean()),
        "coverage_of_events": float(holds[actual == 1.0].mean()),
        "coverage_of_others": float(holds[actual == 0.0].mean()),
        "decided": float((codes != BOTH).mean()),
    }


def _mapie(
    p: np.ndarray[Any, Any], known: ScoreData, judged: np.ndarray[Any, Any], new: ScoreData
) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/scores.npz", p=p, actual=known.target, judged=judged)
        command = ["uv", "run", "--quiet", "--no-project", "--python", "3.11", "--with", "mapie>=1"]
        command += ["python", str(HERE / "conformal_peer.py"), folder, str(CONFIDENCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return _kept(np.array(json.loads(done.stdout.splitlines()[-1])), new.target)
