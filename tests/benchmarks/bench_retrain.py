"""What it costs to decide for thousands of segments whether they are trained again."""

from __future__ import annotations

import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loopcast import config
from loopcast.api import Alert, Dataset, Version
from loopcast.cli import plugin_manager
from loopcast.develop.source import source_of
from loopcast.iterate.releasing import Rules
from loopcast.iterate.retrain.report import counts, undone
from loopcast.iterate.retrain.round import Asked, look_ahead
from loopcast.monitor.alerts import AlertBook
from loopcast.store.catalog import Move, Registration
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table
from loopcast.web.retrain.page import render

SEGMENTS, OUTCOMES = 4_000, 50
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=60)


def run(scale: float) -> list[dict[str, Any]]:
    """Decide for 4,000 segments, a quarter of which have an open alert, and tell the result."""
    count = max(100, round(SEGMENTS * scale))
    with tempfile.TemporaryDirectory() as folder:
        asked = _asked(Path(folder), count)
        _fill(asked.home, [f"s{number:05}" for number in range(count)])
        before, start = _cpu(), time.perf_counter()
        outlook = look_ahead(asked)
        decided, wall = _cpu() - before, time.perf_counter() - start
        items = [undone(decision) for decision in outlook.decisions.values()]
        before = _cpu()
        page = render(asked.settings.logical_model, items, NOW, (), {})
        return [
            {
                "what": "decide",
                "segments": len(items),
                "due": counts(items)["due"],
                "cpu_s": decided,
                "wall_s": wall,
            },
            {"what": "page", "segments": len(items), "cpu_s": _cpu() - before, "bytes": len(page)},
        ]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _asked(folder: Path, count: int) -> Asked:
    names = np.repeat([f"s{number:05}" for number in range(count)], 100)
    pd.DataFrame({"region": names}).to_parquet(folder / "table.parquet")
    plugins = plugin_manager()
    settings = config.compose(
        [
            "logical_model=credit_application",
            "data.reader=parquet",
            "~data.options",
            f"+data.options={{path: {folder}/table.parquet}}",
            "data.table.segment=region",
            "retrain.outcomes=10000",
            "retrain.train=false",
            f"store.home={folder}/home",
        ],
        plugins=plugins,
    )
    return Asked(
        settings=settings,
        batches=list(source_of(settings.data, plugins.reader("parquet"), folder).batches()),
        home=open_home(folder / "home"),
        rules=Rules(policy=settings.policy, plugins=plugins),
        moment=NOW,
    )


def _fill(home: Home, segments: list[str]) -> None:
    """Register and release a version of each segment, with outcomes and some alerts."""
    plugins = plugin_manager()
    model = config.compose(["logical_model=credit_application"], plugins=plugins).logical_model
    data = Dataset(name="data", fingerprint="d" * 64, origin="table.parquet", rows=100)
    versions = [_version(segment) for segment in segments]
    home.catalog.put_logical_model(model)
    home.catalog.register([Registration(version=v, datasets=(data,)) for v in versions])
    home.catalog.release_all(
        [
            Move(
                logical_model=model.name,
                segment=version.segment,
                version=version.id,
                stage="champion",
                by="bench",
                reason="first",
            )
            for version in versions
        ],
        at=START,
    )
    keys = np.array([f"k{number}" for number in range(len(segments) * OUTCOMES)])
    home.truth.add(
        model.name,
        truth_table(
            key=keys,
            segment=np.repeat(segments, OUTCOMES),
            value=np.zeros(len(keys)),
            observed=START + timedelta(days=30),
        ),
    )
    alerts = [_alert(version) for version in versions[::4]]
    AlertBook(f"{home.folder}/alerts").update_all(model.name, set(segments), (), alerts)


def _version(segment: str) -> Version:
    manifest = sha256(segment.encode()).hexdigest()
    return Version(
        id=manifest[:16],
        logical_model="credit_application",
        segment=segment,
        template="credit.scorecard",
        recipe=manifest,
        manifest=manifest,
        dataset="d" * 64,
        created=START,
    )


def _alert(version: Version) -> Alert:
    return Alert(
        logical_model=version.logical_model,
        segment=version.segment,
        version=version.id,
        kind="input_drift",
        subject="Income",
        severity="warning",
        cause="input Income: its distribution has moved by 0.20 (Kolmogorov–Smirnov)",
        remedy="retrain",
        raised=START + timedelta(days=20),
        seen=START + timedelta(days=40),
    )
