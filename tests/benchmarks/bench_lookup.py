"""What a list costs that is looked up while a night is published, beside SQLite.

The lists are those of tenants with 300 customers each. A second process publishes one night after
the other meanwhile. SQLite is asked for the same bytes, by a statement that is prepared once, from
a file that nobody writes, and the bytes are not even taken apart.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import Kpi, LogicalModel, RankSchema
from loopcast.serve.list_file import MADE, ListFile, entries
from loopcast.serve.lists import Lists
from loopcast.serve.lookup import LISTS, LookUp, key
from loopcast.serve.published import publish, served_folder
from loopcast.store.home import Home, open_home

TENANTS, CUSTOMERS, PRODUCTS, LENGTH = 4_000, 300, 200, 20
ASKS = 300_000
NIGHTS = 5
SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=LENGTH)
START = datetime(2026, 1, 1, tzinfo=UTC)


def run(scale: float) -> list[dict[str, Any]]:
    """Write lists, then look some up, quietly and while nights are published."""
    tenants, asks = max(20, round(TENANTS * scale)), max(20_000, round(ASKS * scale))
    with tempfile.TemporaryDirectory() as folder:
        home = open_home(folder)
        home.catalog.put_logical_model(
            LogicalModel(
                name="shop", title="Shop", owner="owner", kpi=Kpi(metric="ndcg"), schema=SCHEMA
            )
        )
        path = Path(folder) / LISTS
        began = time.process_time()
        _write(path, tenants)
        rows: list[dict[str, Any]] = [
            {
                "what": "write",
                "lists": tenants * CUSTOMERS,
                "cpu_s": time.process_time() - began,
                "mb": path.stat().st_blocks * 512 / 1e6,
            }
        ]
        _publish(folder, 0)
        rng = np.random.default_rng(0)
        names = [(f"tenant {t}", f"customer {c}") for t, c in _pairs(rng, tenants, asks)]
        with LookUp(home, "shop") as lists:
            rows.append({"what": "look up", **_timed(lists.ask, names)})
        rows.append(
            {"what": "look up while nights swap", **_while_nights_swap(home, tenants, names)}
        )
        rows.append({"what": "SQLite", **_sqlite(path, Path(folder) / "lists.db", names)})
        return rows


def _while_nights_swap(home: Home, tenants: int, names: list[tuple[str, str]]) -> dict[str, float]:
    """Ask until some nights were gone over to, which are files of their own."""
    with LookUp(home, "shop") as lists, _nights(home.folder, tenants) as nights:
        first, taken = _made(lists), [_asked(lists.ask, names)]
        while (swaps := (_made(lists) - first).days) < NIGHTS:
            if lists.trouble or nights.poll() is not None:
                raise RuntimeError(lists.trouble or "the process that publishes has ended")
            taken.append(_asked(lists.ask, names))
        nights.terminate()
        nights.wait()
    return {"nights": swaps, **_described(np.concatenate(taken))}


def _write(path: Path, tenants: int, number: int = 0) -> None:
    lists = [_tenant(np.random.default_rng(seed)) for seed in range(8)]
    with ListFile(path) as file:
        for tenant in range(tenants):
            own = lists[tenant % 8]
            segment = pa.repeat(pa.scalar(f"tenant {tenant}", pa.large_string()), len(own.entity))
            made = START + timedelta(days=number)
            file.write(entries(replace(own, segment=segment), made, {}))


def _tenant(rng: np.random.Generator) -> Lists:
    count = CUSTOMERS + 1  # the last list is for newcomers
    items = np.argsort(rng.random((count, PRODUCTS)), axis=1)[:, :LENGTH]
    texts = ["\n".join(f"product {item}" for item in own) for own in items]
    return Lists(
        segment=pa.nulls(count, pa.large_string()),
        entity=pa.array([*(f"customer {c}" for c in range(CUSTOMERS)), ""], pa.large_string()),
        items=pa.array(texts, pa.large_string()),
        counts=np.full(count, LENGTH),
        scores=rng.random(items.size, dtype=np.float32),
        version=pa.array(["a" * 16] * count, pa.large_string()),
        action=pa.array(["served"] * count, pa.large_string()),
        reason=pa.nulls(count, pa.large_string()),
    )


def _pairs(rng: np.random.Generator, tenants: int, asks: int) -> list[list[int]]:
    pairs: list[list[int]] = rng.integers(0, (tenants, CUSTOMERS), (asks, 2)).tolist()
    return pairs


def _publish(folder: str, number: int) -> None:
    publish(
        served_folder(Path(folder), "shop"),
        {LISTS: Path(folder) / LISTS},
        logical_model="shop",
        made=START + timedelta(days=number),
    )


def _nights(folder: Path, tenants: int) -> subprocess.Popen[bytes]:
    """Write and publish nights in another process until it is ended, half a second between."""
    return subprocess.Popen([sys.executable, __file__, str(folder), str(tenants)])


def _made(lists: LookUp) -> datetime:
    """Return when the lists were made that are answered from, as the id of one says."""
    moment = lists.ask("tenant 0", "customer 0").id.partition("/")[0]
    return datetime.strptime(moment, MADE).replace(tzinfo=UTC)


def _timed(ask: Callable[..., object], questions: list[tuple[str, str]]) -> dict[str, float]:
    return _described(_asked(ask, questions))


def _asked(ask: Callable[..., object], questions: list[tuple[str, str]]) -> NDArray[np.float64]:
    """Return how many nanoseconds each question took, shape (questions,)."""
    clock, taken = time.perf_counter_ns, np.empty(len(questions))
    for place, question in enumerate(questions):
        began = clock()
        ask(*question)
        taken[place] = clock() - began
    return taken


def _described(taken: NDArray[np.float64]) -> dict[str, float]:
    median, p99, p999 = np.percentile(taken / 1000, [50, 99, 99.9])
    return {"asks": len(taken), "median_us": median, "p99_us": p99, "p999_us": p999}


def _sqlite(lists: Path, path: Path, names: list[tuple[str, str]]) -> dict[str, float]:
    with lmdb.open(str(lists), subdir=False, readonly=True, lock=False) as source:
        database = sqlite3.connect(path)
        database.execute("create table lists (key blob primary key, entry blob) without rowid")
        with source.begin() as reading:
            database.executemany("insert into lists values (?, ?)", reading.cursor())
        database.commit()
        database.close()
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    database.execute(f"pragma mmap_size = {path.stat().st_size}")
    question = "select entry from lists where key = ?"
    return _timed(lambda s, e: database.execute(question, (key(s, e),)).fetchone(), names)


if __name__ == "__main__":
    night = 0
    while True:
        night += 1
        _write(Path(sys.argv[1]) / LISTS, int(sys.argv[2]), night)
        _publish(sys.argv[1], night)
        time.sleep(0.5)
