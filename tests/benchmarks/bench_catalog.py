"""What the catalog costs: registering versions, and questions to a large one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from loopcast.api import (
    Dataset,
    Evaluation,
    Kpi,
    LogicalModel,
    Metric,
    ScoreSchema,
    Version,
)
from loopcast.api.schema import Feature
from loopcast.store.catalog import Catalog, Move, Registration, VersionFilter

METRICS = ("mape", "rmse", "mae", "pinball", "coverage")
SEGMENTS = 2_000
BUDGET_MS = 20.0
START = datetime(2026, 1, 1, tzinfo=UTC)
DATASET = Dataset(name="data", fingerprint="d" * 64, origin="data.csv", rows=1000)


def run(scale: float) -> list[dict[str, Any]]:
    """Register 1,000 versions with 5 metrics, then ask questions with 100,000 of them."""
    with tempfile.TemporaryDirectory() as folder, Catalog(f"{folder}/catalog.db") as catalog:
        catalog.put_logical_model(logical_model())
        first = [registration(number) for number in range(1_000)]
        registering = cpu(lambda: catalog.register(first))
        rows: list[dict[str, Any]] = [
            {"what": "register 1,000 versions with 5 metrics", "cpu_s": registering}
        ]
        total = max(2_000, round(100_000 * scale))
        for start in range(1_000, total, 5_000):
            catalog.register([registration(i) for i in range(start, min(start + 5_000, total))])
        moves = [_champion(number) for number in range(min(SEGMENTS, total))]
        releasing = cpu(lambda: catalog.release_all(moves, at=START))
        rows.append({"what": f"release {len(moves):,} champions", "cpu_s": releasing})
        rows.append(
            {"what": "verify the audit log", "versions": total, "cpu_s": cpu(catalog.verify_audit)}
        )
        return rows + [_timed(what, total, ask) for what, ask in _questions(catalog, total)]


def _questions(catalog: Catalog, total: int) -> list[tuple[str, Callable[[], object]]]:
    one = _version(total // 2)
    segment = VersionFilter(logical_model="demand", segment=one.segment)
    template = VersionFilter(logical_model="demand", template="x.rare")
    champions = VersionFilter(logical_model="demand", stage="champion")
    recipes = {f"s{i}": _digest(f"recipe {i}") for i in range(SEGMENTS)}
    page = total // 2
    return [
        ("the newest", lambda: catalog.versions(limit=1)),
        ("the newest 50", lambda: catalog.versions(limit=50)),
        ("the best by a metric", lambda: catalog.best(DATASET.fingerprint, "mape", "lower")),
        ("one version by a beginning", lambda: catalog.version(one.id[:12])),
        ("its evaluations", lambda: catalog.evaluations(one.id)),
        ("a page of a segment", lambda: catalog.versions(segment, limit=50)),
        ("a page of a rare template", lambda: catalog.versions(template, limit=50)),
        ("a page of champions", lambda: catalog.versions(champions, limit=50)),
        (f"a page after {page:,} others", lambda: catalog.versions(limit=50, offset=page)),
        ("count them all", catalog.count),
        ("the champion of a segment", lambda: catalog.champion("demand", "s7")),
        (f"versions by {SEGMENTS:,} recipes", lambda: catalog.find("demand", recipes)),
    ]


def _timed(what: str, versions: int, ask: Callable[[], object]) -> dict[str, Any]:
    """Measure a question that was asked once before, so that its statement is compiled."""
    ask()
    milliseconds = 1000 * min(cpu(ask) for _ in range(5))
    return {
        "what": what,
        "versions": versions,
        "cpu_ms": milliseconds,
        "of_budget": milliseconds / BUDGET_MS,
    }


def cpu(task: Callable[[], object]) -> float:
    start = time.process_time()
    task()
    return time.process_time() - start


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def logical_model() -> LogicalModel:
    schema = ScoreSchema(
        key="id", target="bad", event="1", features={"age": Feature(kind="numeric")}
    )
    kpi = Kpi(metric="mape")
    return LogicalModel(name="demand", title="Demand", owner="owner", kpi=kpi, schema=schema)


def _version(number: int) -> Version:
    manifest = _digest(f"manifest {number}")
    return Version(
        id=manifest[:16],
        logical_model="demand",
        segment=f"s{number % SEGMENTS}",
        template="x.rare" if number % 1000 == 0 else "x.common",
        recipe=_digest(f"recipe {number}"),
        manifest=manifest,
        dataset=DATASET.fingerprint,
        created=START + timedelta(seconds=number),
    )


def registration(number: int) -> Registration:
    return Registration(
        version=_version(number), datasets=(DATASET,), evaluations=_evaluations(number)
    )


def _evaluations(number: int) -> tuple[Evaluation, ...]:
    values = (int(_digest(f"{name} {number}")[:8], 16) / 1e9 for name in METRICS)
    metrics = tuple(
        Metric(name=name, value=value, count=1000)
        for name, value in zip(METRICS, values, strict=True)
    )
    fingerprint = DATASET.fingerprint
    return (Evaluation(contender="x", dataset=fingerprint, protocol="held out", metrics=metrics),)


def _champion(number: int) -> Move:
    version = _version(number)
    return Move(
        logical_model="demand",
        segment=version.segment,
        version=version.id,
        stage="champion",
        by="benchmark",
        reason="first",
    )
