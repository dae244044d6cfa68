"""Registering versions, against MLflow on SQLite in the same run.

MLflow's pins exclude this workspace's, so it runs in an environment of its own, made by uv. Its
client writes one version at a time; loopcast is measured that way too, and in one batch as its
training of a family does it. Each act includes its entry in the audit log.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_catalog as made  # type: ignore[import-not-found]  # beside this file

from loopcast.store.catalog import Catalog

HERE = Path(__file__).resolve().parent
WANTED = 200.0


def run(scale: float) -> list[dict[str, Any]]:
    """Register 1,000 versions with 5 metrics each."""
    count = max(100, round(1000 * scale))
    theirs = _mlflow(count)
    rows = [
        {
            "what": f"MLflow {theirs['version']}, one at a time",
            "versions": count,
            "cpu_s": theirs["cpu_s"],
            "ms_each": 1000 * theirs["cpu_s"] / count,
        }
    ]
    for what, register in (("one batch", _batch), ("one at a time", _single)):
        seconds = min(_ours(register, count) for _ in range(3))
        rows.append(
            {
                "what": f"loopcast, {what}",
                "versions": count,
                "cpu_s": seconds,
                "ms_each": 1000 * seconds / count,
                "times_less": theirs["cpu_s"] / seconds,
                "wanted": WANTED if register is _batch else None,
            }
        )
    return rows


def _batch(catalog: Catalog, count: int) -> None:
    catalog.register([made.registration(number) for number in range(count)])


def _single(catalog: Catalog, count: int) -> None:
    for number in range(count):
        catalog.register([made.registration(number)])


def _ours(register: Callable[[Catalog, int], None], count: int) -> float:
    with tempfile.TemporaryDirectory() as folder, Catalog(f"{folder}/catalog.db") as catalog:
        catalog.put_logical_model(made.logical_model())
        catalog.register([made.registration(count)])  # as MLflow, it has been used before
        seconds: float = made.cpu(lambda: register(catalog, count))
        return seconds


def _mlflow(count: int) -> dict[str, Any]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["uv", "run", "--isolated", "--no-project", "--python", python, "--with",
             "mlflow>=3.17", "python", str(HERE / "mlflow_registry.py"), str(count), folder],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"MLflow: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
