"""What a drift report costs, beside exact SciPy on the values and Evidently in its own environment.

All read the same Parquet file of recent rows. Evidently imports only with pandas 2, so it runs by
`uv run --isolated`, which needs a package index; where it cannot, its row says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy import stats

from loopcast.monitor.daily import DailySketches, Day, Group
from loopcast.monitor.drift import measure, measure_pair
from loopcast.monitor.measures import pair
from loopcast.monitor.reference import fit_reference, read_reference, reference_bytes
from loopcast.monitor.sketch import sketch, sketch_batches

NUMBERS, CATEGORIES = 16, 4
GOAL = 1.2  # CPU seconds for a million rows of 20 features, from Parquet
YEAR_GOAL = 5.0  # seconds for a year of daily sketches of 1,000 segments
SEGMENTS, DAYS, FEATURES = 1_000, 365, 20

EVIDENTLY = """
import json, resource, sys, time
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
start = cpu()
reference, recent = (pd.read_parquet(path) for path in sys.argv[1:3])
Report([DataDriftPreset()]).run(recent, reference).dict()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(json.dumps({"cpu_s": cpu() - start, "imports_cpu_s": start, "peak_mb": peak}))
"""


def run(scale: float) -> list[dict[str, Any]]:
    """Report the drift of a million rows, and of a year of daily sketches."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = max(1_000, round(1_000_000 * scale))
        reference, recent = folder / "reference.parquet", folder / "recent.parquet"
        _table(max(1_000, rows // 10), 0).to_parquet(reference)
        _table(rows, 1).to_parquet(recent, row_group_size=200_000)
        ours = _ours(reference, recent, rows)
        exact = _exact(reference, recent)
        evidently = _evidently(reference, recent)
        for other in (exact, evidently):
            if "cpu_s" in other:
                other["times_ours"] = other["cpu_s"] / ours["cpu_s"]
        return [ours, exact, evidently, _year(folder / "daily", scale)]


def _table(rows: int, seed: int) -> pd.DataFrame:
    noise = np.random.default_rng(seed)
    numbers = {f"x{i}": noise.normal(0.02 * i * seed, 1.0, rows) for i in range(NUMBERS)}
    names = np.array([f"c{i}" for i in range(12)])
    texts = {f"c{i}": names[noise.integers(0, 12, rows)] for i in range(CATEGORIES)}
    return pd.DataFrame(numbers | texts)


def _ours(reference_file: Path, recent: Path, rows: int) -> dict[str, Any]:
    frame = pd.read_parquet(reference_file)
    columns = {str(name): values.to_numpy() for name, values in frame.items()}
    kept = reference_bytes(fit_reference(columns, {}))

    def report() -> None:
        reference = read_reference(kept)
        batches = pq.ParquetFile(recent).iter_batches(batch_size=200_000)
        measure(reference, sketch_batches(batches, reference.bins))

    seconds = min(_cpu(report) for _ in range(3))
    return {
        "what": f"loopcast, {rows:,} rows of {NUMBERS + CATEGORIES} features",
        "cpu_s": seconds,
        "of_goal": GOAL * rows / 1e6 / seconds,
        "reference_bytes": len(kept),
    }


def _exact(reference_file: Path, recent_file: Path) -> dict[str, Any]:
    def report() -> None:
        reference, recent = pd.read_parquet(reference_file), pd.read_parquet(recent_file)
        for name in reference.columns[:NUMBERS]:
            stats.ks_2samp(reference[name], recent[name], method="asymp")
            stats.wasserstein_distance(reference[name], recent[name])
        for name in reference.columns[NUMBERS:]:
            counts = [frame[name].value_counts().sort_index() for frame in (reference, recent)]
            stats.chi2_contingency(np.array(counts))

    return {"what": "exact SciPy", "cpu_s": _cpu(report)}


def _evidently(reference: Path, recent: Path) -> dict[str, Any]:
    if shutil.which("uv") is None:
        return {"what": "Evidently 0.7", "note": "uv is not installed"}
    environment = ["--isolated", "--no-project", "--with", "evidently==0.7.*", "--with", "pandas<3"]
    done = subprocess.run(
        ["uv", "run", "-q", *environment, "--with", "pyarrow", "python", "-W", "ignore", "-c",
         EVIDENTLY, str(reference), str(recent)],
        capture_output=True, text=True, check=False, cwd=reference.parent,
    )  # fmt: skip
    if done.returncode:
        return {"what": "Evidently 0.7", "note": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return {"what": "Evidently 0.7", **json.loads(done.stdout.splitlines()[-1])}


def _year(folder: Path, scale: float) -> dict[str, Any]:
    """Merge and report a year of days, each of 48 rows a segment."""
    noise = np.random.default_rng(0)
    segments = max(10, round(SEGMENTS * scale))
    store = DailySketches(str(folder))
    reference = fit_reference({f"x{i}": noise.normal(size=20_000) for i in range(FEATURES)}, {})
    groups = tuple(
        Group(segment=f"s{i}", version="0" * 16, bins=reference.bins.digest)
        for i in range(segments)
    )
    group = np.repeat(np.arange(segments), 48)
    first = date(2026, 1, 1)
    for number in range(DAYS):
        rows = {f"x{i}": noise.normal(size=len(group)) for i in range(FEATURES)}
        counted = sketch(rows, reference.bins, group=group, groups=segments)
        store.put("demand", first + timedelta(number), Day(groups=groups, sketch=counted))

    def report() -> None:
        total = store.total("demand", first, first + timedelta(DAYS))
        assert total is not None
        both = pair(reference.bins, reference.sketch, total.sketch)
        measure_pair(reference.bins.names, both, reference.effect, reference.bins.centres)

    started = time.perf_counter()
    seconds = _cpu(report)
    size = sum(file.stat().st_size for file in folder.rglob("*.arrow"))
    return {
        "what": f"a year of {segments:,} segments and {FEATURES} features, merged and reported",
        "cpu_s": seconds,
        "wall_s": time.perf_counter() - started,
        "of_goal": YEAR_GOAL * segments / SEGMENTS / seconds,
        "disk_mb": size / 1e6,
    }


def _cpu(task: Callable[[], object]) -> float:
    start = time.process_time()
    task()
    return time.process_time() - start
