"""What the event log costs: events a second, bytes an event, and the join with ground truth."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from loopcast.api import Event
from loopcast.store.events import EventLog, event_table, table_of
from loopcast.store.truth import TruthStore, join, truth_table

GOAL = 300_000  # events a CPU second, made into a table and appended
JOIN_GOAL = 0.2  # seconds, for 500,000 events
BATCHES = 3


def run(scale: float) -> list[dict[str, Any]]:
    """Append batches of events with three outputs and two inputs, and read them."""
    count = max(1_000, round(300_000 * scale))
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(folder)
        appending = min(_append(log, count, day) for day in range(BATCHES))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
        reading = _cpu(lambda: log.read("demand"))
        column = _cpu(lambda: log.read("demand", columns=["key", "time"], segment="s7"))
        joining = _join(round(500_000 * scale), f"{folder}/truth")
    few = _events(count // 100)
    return [
        {
            "what": f"append {count:,} events by columns",
            "cpu_s": appending,
            "events_a_cpu_s": count / appending,
            "of_goal": count / appending / GOAL,
            "bytes_an_event": size / count / BATCHES,
        },
        {"what": f"read {BATCHES * count:,} events", "cpu_s": reading},
        {"what": "read two columns of one segment", "cpu_s": column},
        joining,
        {
            "what": f"make a table of {len(few):,} events one by one",
            "cpu_s": (seconds := _cpu(lambda: table_of(few))),
            "events_a_cpu_s": len(few) / seconds,
        },
    ]


def _append(log: EventLog, count: int, day: int) -> float:
    """Return the CPU seconds of making a batch from arrays and appending it."""
    noise = np.random.default_rng(day)
    midnight = np.datetime64("2026-01-01", "us") + np.timedelta64(day, "D")
    moments = midnight + np.sort(noise.integers(0, 86_400_000, count)) * np.timedelta64(1, "ms")
    names = pa.array([f"s{number}" for number in range(1_000)])
    keys = [f"s{number % 1_000}|{number}" for number in range(count)]
    segments = names.take(pa.array(noise.integers(0, 1_000, count)))
    outputs = {name: noise.normal(7000, 500, count).round(1) for name in ("mean", "low", "high")}
    inputs = {"temperature": noise.normal(20, 5, count).round(1), "working": np.ones(count)}
    latency = noise.exponential(3.0, count).round(2)
    return _cpu(
        lambda: log.append(
            event_table(
                key=keys,
                time=pa.array(moments, pa.timestamp("us", "UTC")),
                logical_model="demand",
                segment=segments,
                version="0123456789abcdef",
                role="champion",
                outputs=outputs,
                inputs=inputs,
                latency_ms=latency,
            )
        )
    )


def _join(count: int, folder: str) -> dict[str, Any]:
    """Join events with truth that came late, for nine of ten, shuffled."""
    keys = pa.array([f"s{number % 1_000}|30min|{number}" for number in range(count)])
    events = pa.table({"segment": pa.repeat("", count), "key": keys})
    known = np.random.default_rng(0).permutation(count)[: count * 9 // 10]
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    outcomes = truth_table(key=keys.take(known), value=known.astype(float), observed=moment)
    store = TruthStore(folder)
    ingesting = _cpu(lambda: store.add("demand", outcomes))
    latest = store.latest("demand")
    seconds = _cpu(lambda: join(events, latest))
    return {
        "what": f"join {count:,} events with truth",
        "cpu_s": seconds,
        "of_goal": JOIN_GOAL / seconds,
        "ingest_cpu_s": ingesting,
        "read_latest_cpu_s": _cpu(lambda: store.latest("demand")),
    }


def _events(count: int) -> list[Event]:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return [
        Event(
            key=f"k{number}",
            time=noon + timedelta(seconds=number),
            logical_model="demand",
            segment="s7",
            version="0123456789abcdef",
            role="champion",
            outputs={"mean": 7000.0, "low": 6500.0, "high": 7500.0},
            inputs={"temperature": 20.0, "working": 1.0},
        )
        for number in range(count)
    ]


def _cpu(task: Any) -> float:
    start = time.process_time()
    task()
    return time.process_time() - start
