"""What it costs to look at what came of the predictions of a family: its KPIs, scores and gaps."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import BusinessKpi, Feature, Kpi, LogicalModel, ScoreSchema
from loopcast.monitor.plan import usual_plan
from loopcast.monitor.results import Asked, family_results
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table

SEGMENTS, DAYS, ROWS = 1_000, 60, 10
START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = LogicalModel(
    name="credit",
    title="Credit",
    owner="owner",
    kpi=Kpi(metric="brier"),
    schema=ScoreSchema(key="id", target="bad", event=1, features={"x": Feature(kind="numeric")}),
    watch={
        "approved": BusinessKpi(of="output.probability", statistic="share", above=0.5),
        "losses": BusinessKpi(of="outcome", direction="lower"),
    },
)


def run(scale: float) -> list[dict[str, Any]]:
    """Look at sixty days of a family of which each segment has ten predictions a day."""
    names = [f"s{number:04d}" for number in range(max(10, round(SEGMENTS * scale)))]
    with tempfile.TemporaryDirectory() as folder:
        home = open_home(Path(folder))
        _live(home, names)
        asked = Asked(
            model=MODEL,
            kpi=None,
            plan=usual_plan(),
            versions={name: _version(number) for number, name in enumerate(names)},
            days=pd.date_range(START, periods=DAYS, freq="D"),
            at=START + timedelta(days=DAYS, hours=8),
        )
        family_results(asked, home)  # imports are paid
        cpu, wall = time.process_time(), time.perf_counter()
        family_results(asked, home)
        row = {
            "what": f"results of {len(names):,} segments, {len(names) * DAYS * ROWS:,} events",
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
        }
        home.catalog.close()
    return [row]


def _version(number: int) -> str:
    return f"{number:016x}"


def _live(home: Home, names: list[str]) -> None:
    noise, count = np.random.default_rng(0), ROWS * len(names)
    segments = np.repeat(names, ROWS)
    versions = np.repeat([_version(number) for number in range(len(names))], ROWS)
    home.catalog.put_logical_model(MODEL)
    for day in range(DAYS):
        start, said = START + timedelta(days=day), noise.random(count)
        keys = [f"{day}-{row}" for row in range(count)]
        home.events.append(
            event_table(
                key=keys,
                time=[start + timedelta(seconds=int(s)) for s in noise.integers(0, 86_400, count)],
                logical_model=MODEL.name,
                segment=segments,
                version=versions,
                role="champion",
                outputs={"probability": said},
            )
        )
        outcomes = truth_table(
            key=keys,
            value=noise.random(count) < said,
            observed=start + timedelta(days=1),
            segment=segments,
        )
        home.truth.add(MODEL.name, outcomes)
