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
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from loopcast.api import (
    Dataset,
    Feature,
    Kpi,
    LogicalModel,
    Manifest,
    PluginOrigin,
    ScoreSchema,
)
from loopcast.deploy.bundle import encode_bundle, version_of, write_bundles
from loopcast.monitor.compare import read_references
from loopcast.monitor.counting import count_day
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.drift import measure
from loopcast.monitor.family import FamilyWatched, watch_family
from loopcast.monitor.reference import (
    REFERENCE_FILE,
    fit_reference,
    read_reference,
    reference_bytes,
)
from loopcast.monitor.sketch import empty, sketch
from loopcast.store.catalog import Registration
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home

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
        return [ours, exact, evidently, *_year(folder / "home", scale)]


def _table(rows: int, seed: int) -> pd.DataFrame:
    noise = np.random.default_rng(seed)
    numbers = {f"x{i}": noise.normal(0.02 * i * seed, 1.0, rows) for i in range(NUMBERS)}
    names = np.array([f"c{i}" for i in range(12)])
    texts = {f"c{i}": names[noise.integers(0, 12, rows)] for i in range(CATEGORIES)}
    return pd.DataFrame(numbers | texts)


def _ours(reference_file: Path, recent: Path, count: int) -> dict[str, Any]:
    frame = pd.read_parquet(reference_file)
    columns = {str(name): values.to_numpy() for name, values in frame.items()}
    kept = reference_bytes(fit_reference(columns, {}))

    def report() -> None:
        reference = read_reference(kept)
        batches = pq.ParquetFile(recent).iter_batches(batch_size=200_000)
        found = empty(len(reference.bins.names), reference.bins.numeric)
        for batch in batches:
            rows = dict(zip(batch.schema.names, batch.columns, strict=True))
            found += sketch(rows, reference.bins)
        measure(reference, found)

    seconds = min(_cpu(report) for _ in range(3))
    return {
        "what": f"loopcast, {count:,} rows of {NUMBERS + CATEGORIES} features",
        "cpu_s": seconds,
        "of_goal": GOAL * count / 1e6 / seconds,
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


def _year(folder: Path, scale: float) -> list[dict[str, Any]]:
    """Count a day of a family of 48 rows a segment, then merge and report a year of such days."""
    segments = max(10, round(SEGMENTS * scale))
    home = open_home(folder)
    model, versions = _family(home, segments)
    events = _events(model, versions)
    references = read_references(home, versions.values())
    started = time.process_time()
    day = count_day(events, model, lambda ids: references)
    counted = time.process_time() - started
    sketches, first = daily_sketches(home), date(2026, 1, 1)
    for number in range(DAYS):
        sketches.put(model.name, first + timedelta(number), day)
    watched = FamilyWatched(
        model=model,
        first=first,
        last=first + timedelta(DAYS - 1),
    )

    def report() -> None:
        found = watch_family(watched, home, sketches, datetime.now(UTC))
        assert len(found.segments) == segments

    started = time.perf_counter()
    seconds = _cpu(report)
    wall = time.perf_counter() - started
    size = sum(file.stat().st_size for file in folder.rglob("*.arrow"))
    home.catalog.close()
    return [
        {"what": f"a day of {segments:,} segments, {len(events):,} events, counted",
         "cpu_s": counted},
        {"what": f"a year of {segments:,} segments and {FEATURES} features, merged and reported",
         "cpu_s": seconds, "wall_s": wall, "of_goal": YEAR_GOAL * segments / SEGMENTS / seconds,
         "disk_mb": size / 1e6},
    ]  # fmt: skip


def _family(home: Home, segments: int) -> tuple[LogicalModel, dict[str, str]]:
    """Register a version with a reference of its own for each segment."""
    features = {f"x{i}": Feature(kind="numeric") for i in range(FEATURES)}
    schema = ScoreSchema(key="id", target="y", event=1, features=features)
    kpi = Kpi(metric="brier")
    model = LogicalModel(name="demand", title="Demand", owner="owner", kpi=kpi, schema=schema)
    data = Dataset(name="rows", fingerprint="a" * 64, origin="rows.csv", rows=2_000)
    plugin = PluginOrigin(plugin="p", package="p", package_version="1")
    bundles = []
    for number in range(segments):
        noise = np.random.default_rng(number)
        reference = fit_reference({name: noise.normal(size=2_000) for name in features}, {})
        manifest = Manifest(
            logical_model="demand", segment=f"s{number:04d}", template="a.b", plugin=plugin,
            hyperparameters={}, recipe="b" * 64, seed=number, datasets=(data,), environment={},
            files={},
        )  # fmt: skip
        bundles.append((manifest, {REFERENCE_FILE: reference_bytes(reference)}))
    encoded = [encode_bundle(*bundle) for bundle in bundles]
    write_bundles(home.artifacts, encoded)
    home.catalog.put_logical_model(model)
    versions = [version_of(b.manifest, b.digest, datetime.now(UTC)) for b in encoded]
    home.catalog.register([Registration(version=v, datasets=(data,)) for v in versions])
    return model, {version.segment: version.id for version in versions}


def _events(model: LogicalModel, versions: dict[str, str]) -> pa.Table:
    noise, count = np.random.default_rng(0), 48 * len(versions)
    return event_table(
        key=[str(i) for i in range(count)], time=datetime(2026, 1, 1, 9, tzinfo=UTC),
        logical_model=model.name, segment=np.repeat(list(versions), 48),
        version=np.repeat(list(versions.values()), 48), role="champion",
        outputs={"probability": noise.random(count)},
        inputs={f"x{i}": noise.normal(size=count) for i in range(FEATURES)},
    )  # fmt: skip


def _cpu(task: Callable[[], object]) -> float:
    start = time.process_time()
    task()
    return time.process_time() - start
