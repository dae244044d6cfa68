"""What it costs to train a family of 1,000 cheap segments, and half a year later to do it again.

Both are whole runs of ``loopcast run`` with a configuration of their own, each in its process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEGMENTS, ROWS = 1_000, 300
MODEL = """\
# @package _global_
defaults:
  - override /data: applications
  - override /template: credit.logistic
logical_model:
  name: branches
  title: Branches
  purpose: Decide on the applications of a branch.
  owner: risk
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: auc, direction: higher}
  schema:
    task: score
    key: id
    target: outcome
    event: bad
    time: at
    features: {income: {kind: numeric}, debt: {kind: numeric, missing: true}}
baselines: {}
"""
DATA = """\
name: applications
reader: parquet
options: {path: applications.parquet}
table: {task: score, segment: branch}
"""


def run(scale: float) -> list[dict[str, Any]]:
    """Train the first year of each segment, then a second half a year later."""
    names = [f"b{number:04}" for number in range(max(10, round(SEGMENTS * scale)))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, content in (("logical_model/branches", MODEL), ("data/applications", DATA)):
            path = folder / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True)
            path.write_text(content)
        first = _table(names, "2024-01-01", days=365)
        first.to_parquet(folder / "applications.parquet")
        trained = _timed(folder, "train", "2025-01-10")
        both = pd.concat([first, _table(names, "2025-01-01", days=180)])
        both.to_parquet(folder / "applications.parquet")
        retrained = _timed(folder, "retrain", "2025-07-10")
        found = next((folder / "home" / "runs" / "branches").glob("*/retraining.html")).parent
        counts = json.loads((found / "summary.json").read_text())["retraining"]["counts"]
    return [trained, {**retrained, **{name: n for name, n in counts.items() if n}}]


def _table(names: list[str], start: str, *, days: int) -> pd.DataFrame:
    """Return applications whose risk falls with income and rises with debt."""
    noise, count = np.random.default_rng(days), len(names) * ROWS
    income, debt = noise.normal(3_000, 800, count), noise.normal(9_000, 4_000, count)
    risk = 1 / (1 + np.exp(1.0 + (income - 3_000) / 800 - (debt - 9_000) / 4_000))
    return pd.DataFrame(
        {
            "id": [f"{start[:4]}-{row}" for row in range(count)],
            "at": (np.datetime64(start) + noise.integers(0, days, count)).astype(str),
            "income": income.round(2),
            "debt": np.where(noise.random(count) < 0.1, np.nan, debt.round(2)),
            "outcome": np.where(noise.random(count) < risk, "bad", "good"),
            "branch": np.repeat(names, ROWS),
        }
    )


def _timed(folder: Path, job: str, day: str) -> dict[str, Any]:
    """Run a job, and return what it took of all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    arguments = ["logical_model=branches", f"job={job}", f"job.at={day}", "store.home=home"]
    command = [str(Path(sys.executable).with_name("loopcast")), "run", "--config-dir", "conf"]
    subprocess.run([*command, *arguments], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "what": job,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": after.ru_maxrss / 1_000,
    }
