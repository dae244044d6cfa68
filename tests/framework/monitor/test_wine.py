"""Real wines, the whole way: trained on those of 11 % alcohol and more, applied to the others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Dataset,
    Feature,
    Judged,
    Kpi,
    LogicalModel,
    Manifest,
    PluginOrigin,
    ScoreOutcome,
    ScoreSchema,
)
from loopcast.deploy.bundle import encode_bundle, version_of, write_bundles
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.develop.score.metrics import loopcast_metrics
from loopcast.monitor.reference import REFERENCE_FILE, fit_reference, reference_bytes
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.store.catalog import Registration
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home

from .test_drift import WINE
from .versions import START

DAYS = 20


@pytest.fixture(scope="module")
def wines() -> pd.DataFrame:
    if not WINE.exists():
        pytest.skip("the wine data is not here: see tests/framework/monitor/test_drift.py")
    return pd.read_csv(WINE).drop_duplicates(ignore_index=True)


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): v.to_numpy() for name, v in frame.drop(columns="quality").items()}


def watched(folder: Path, training: pd.DataFrame, applied: pd.DataFrame) -> Report:
    """Train on some wines, score others over twenty days, and look."""
    home = open_home(folder)
    inputs = columns(training)
    texts = [name for name, values in inputs.items() if values.dtype.kind not in "fi"]
    features = {n: Feature(kind="category" if n in texts else "numeric") for n in inputs}
    schema = ScoreSchema(key="id", target="good", event=1, features=features)
    kpi = Kpi(metric="brier")
    model = LogicalModel(name="wine", title="Wine", owner="o", kpi=kpi, schema=schema)
    version = register(home, model, inputs, texts)
    noise = np.random.default_rng(0)
    mixed = applied.iloc[noise.permutation(len(applied))]
    for day, rows in enumerate(np.array_split(np.arange(len(mixed)), DAYS)):
        part = columns(mixed.iloc[rows])
        events = event_table(
            key=[f"{i}" for i in rows], time=START + timedelta(days=day, hours=9),
            logical_model="wine", segment="", version=version, role="champion",
            outputs={"probability": said(part)}, inputs=part,
        )  # fmt: skip
        home.events.append(events)
    end = START + timedelta(days=DAYS)
    look = Watched(
        model=model, segment="", start=START, end=end, metrics=loopcast_metrics(), separate=True
    )
    report = watch(look, home, end)
    home.catalog.close()
    return report


def said(inputs: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(1.0 / (1.0 + np.exp(11.0 - inputs["alcohol"])))


def register(home: Home, model: LogicalModel, inputs: dict[str, Any], texts: list[str]) -> str:
    probability = said(inputs)
    rows = len(probability)
    outcome = ScoreOutcome(
        actual=(probability > 0.5).astype(float), probability=probability, weight=np.ones(rows)
    )
    judged = Judged(
        keys=(pd.Categorical([str(i) for i in range(rows)]),), block=np.arange(rows),
        overall=np.ones(rows, dtype=bool), attributes={}, outcomes={"own": outcome},
    )  # fmt: skip
    reference = fit_reference(inputs, {"probability": probability}, subsets=texts)
    data = Dataset(name="wine", fingerprint="a" * 64, origin="wine.csv", rows=rows)
    manifest = Manifest(
        logical_model="wine", segment="", template="credit.own",
        plugin=PluginOrigin(plugin="p", package="p", package_version="1"),
        hyperparameters={}, recipe="b" * 64, seed=0, datasets=(data,), environment={}, files={},
    )  # fmt: skip
    files = {JUDGED_FILE: judged_bytes(judged), REFERENCE_FILE: reference_bytes(reference)}
    bundle = encode_bundle(manifest, files)
    write_bundles(home.artifacts, [bundle])
    version = version_of(bundle.manifest, bundle.digest, START)
    home.catalog.put_logical_model(model)
    home.catalog.register([Registration(version=version, datasets=(data,))])
    return version.id


def test_weaker_wines_alarm_with_the_right_inputs(wines: pd.DataFrame, tmp_path: Path) -> None:
    strong = wines["alcohol"] >= 11
    report = watched(tmp_path, wines[strong], wines[~strong])
    alerts = {(a.kind, a.subject): a for a in report.found}
    assert {("input_drift", "alcohol"), ("input_drift", "density"), ("output_drift", "probability"),
            ("separation", "")} <= alerts.keys()  # fmt: skip
    assert alerts["input_drift", "alcohol"].severity == "critical"
    assert "of its values are none that the training had" in alerts["input_drift", "alcohol"].cause
    assert "AUC of 1.00, by alcohol" in alerts["separation", ""].cause
    assert report.drift is not None
    worst = max(report.drift.records, key=lambda d: d.value / d.threshold)
    assert worst.subject == "alcohol"


def test_wines_like_those_of_the_training_raise_none(wines: pd.DataFrame, tmp_path: Path) -> None:
    strong = wines[wines["alcohol"] >= 11].sample(frac=1.0, random_state=1)
    half = len(strong) // 2
    report = watched(tmp_path, strong[:half], strong[half:])
    assert report.found == ()
    assert report.drift is not None
    assert report.drift.separation is not None
    assert abs(report.drift.separation.auc - 0.5) < 0.06
