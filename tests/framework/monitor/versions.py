"""Versions of a family as a training leaves them, and events of theirs, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

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
from loopcast.monitor.reference import REFERENCE_FILE, fit_reference, reference_bytes
from loopcast.store.catalog import Registration
from loopcast.store.events import event_table
from loopcast.store.home import Home

START = datetime(2026, 1, 5, tzinfo=UTC)
SCHEMA = ScoreSchema(
    key="id", target="bad", event=1,
    features={"income": Feature(kind="numeric"), "town": Feature(kind="category")},
)  # fmt: skip
MODEL = LogicalModel(
    name="credit", title="Credit", owner="owner", kpi=Kpi(metric="brier"), schema=SCHEMA
)


def people(noise: np.random.Generator, rows: int, shift: float = 0.0) -> dict[str, Any]:
    return {"income": noise.normal(shift, 1.0, rows), "town": noise.choice(list("ab"), rows)}


def chance(inputs: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(1.0 / (1.0 + np.exp(inputs["income"])))


def train(
    home: Home, segments: Sequence[str], rows: int = 2_000, at: datetime = START
) -> dict[str, str]:
    """Register and release a version of each segment; return their ids."""
    bundles = [_bundle(number, segment, rows) for number, segment in enumerate(segments)]
    encoded = [encode_bundle(*bundle) for bundle in bundles]
    write_bundles(home.artifacts, encoded)
    versions = [version_of(b.manifest, b.digest, at) for b in encoded]
    home.catalog.put_logical_model(MODEL)
    home.catalog.register(
        [
            Registration(version=version, datasets=bundle.manifest.datasets)
            for version, bundle in zip(versions, encoded, strict=True)
        ]
    )
    for version in versions:
        home.catalog.release(
            "credit", version.segment, version.id, stage="champion", by="eva", reason="r", at=at
        )
    return {version.segment: version.id for version in versions}


def _bundle(seed: int, segment: str, rows: int) -> tuple[Manifest, dict[str, bytes]]:
    noise = np.random.default_rng(seed)
    inputs = people(noise, rows)
    said = chance(inputs)
    happened = (noise.random(rows) < said).astype(float)
    judged = Judged(
        keys=(pd.Categorical([str(i) for i in range(rows)]),),
        block=np.arange(rows),
        overall=np.ones(rows, dtype=bool),
        attributes={},
        outcomes={"own": ScoreOutcome(actual=happened, probability=said, weight=np.ones(rows))},
    )
    reference = fit_reference(inputs, {"probability": said}, subsets=["town"])
    data = Dataset(name="people", fingerprint="a" * 64, origin="people.csv", rows=rows)
    manifest = Manifest(
        logical_model="credit", segment=segment, template="credit.own",
        plugin=PluginOrigin(plugin="p", package="p", package_version="1"),
        hyperparameters={}, recipe=f"{seed:064x}", seed=seed, datasets=(data,), environment={},
        files={},
    )  # fmt: skip
    files = {JUDGED_FILE: judged_bytes(judged), REFERENCE_FILE: reference_bytes(reference)}
    return manifest, files


def scored(
    segment: str, version: str, day: int, inputs: dict[str, Any], **changes: Any
) -> pa.Table:
    """Return the events of one day, at nine o'clock."""
    rows = len(inputs["income"])
    outputs = changes.pop("outputs", None) or {"probability": chance(inputs)}
    plain: dict[str, Any] = {
        "key": [f"{segment}-{day}-{i}" for i in range(rows)],
        "time": START + timedelta(days=day, hours=9),
        "logical_model": "credit", "segment": segment, "version": version, "role": "champion",
        "outputs": outputs, "inputs": inputs, "latency_ms": 20.0,
    }  # fmt: skip
    return event_table(**(plain | changes))
