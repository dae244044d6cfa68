"""The day of a grid operator with 5,000 meters, through the product's own command.

    python tests/benchmarks/bench_day.py --scale 0.1

Trains all meters, their stations, areas and total on eleven months of half-hours with a light
backtest, then forecasts the next day as every morning does: from the Parquet file of the last six
weeks to reconciled quantile forecasts, events and a report on disk. Seconds are of the clock and of
all processes together, ``peak_gb`` is that of the largest one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import meters  # type: ignore[import-not-found]  # beside this file
import pyarrow.parquet as pq
from spent import adopt, wait_for  # type: ignore[import-not-found]  # beside this file

Row = dict[str, Any]

METERS = 5_000
LOOPCAST = Path(sys.executable).with_name("loopcast")


def run(scale: float) -> list[Row]:
    """Train and forecast a share of the full number of meters."""
    count = max(50, round(METERS * scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        meters.write_tables(folder, count)
        meters.write_configuration(folder, count)
        return [
            {"name": "train", "meters": count} | _loopcast(folder, "job=train"),
            {"name": "the day", "meters": count} | _loopcast(folder, "job=serve", "data=recent"),
        ]


def _loopcast(folder: Path, *overrides: str) -> Row:
    """Run the command and measure it."""
    command = [str(LOOPCAST), "run", f"--config-dir={folder}", "logical_model=meters", *overrides]
    environment = {**os.environ, "LOOPCAST_HOME": str(folder / "home")}
    environment.pop("OPENBLAS_CORETYPE", None)
    environment.pop("OPENBLAS_L2_SIZE", None)
    adopt()
    started = time.perf_counter()
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        spent = wait_for(process.pid)
    seconds = time.perf_counter() - started
    text = (folder / "out.txt").read_text()
    if spent.status:
        raise RuntimeError(f"{' '.join(command)} failed: {text[-2000:]}")
    return {
        "s": seconds,
        "cpu_s": spent.cpu,
        "peak_gb": spent.peak,
        **_results(Path(re.search(r"results +(\S+)", text)[1])),  # type: ignore[index]
    }


def _results(folder: Path) -> Row:
    """Return what a run left behind, so that its speed is that of a whole result."""
    summary = json.loads((folder / "summary.json").read_bytes())
    own, *others = summary["metrics"].values()
    return {
        "forecasts": pq.read_metadata(folder / "forecast.parquet").num_rows,
        "fallback": summary["fallback"]["count"],
        "coherence": summary["coherence_error"],
        "mae_ratio": own["mae"] / others[0]["mae"],
        "coverage": own["coverage"],
        "report_mb": (folder / "report.html").stat().st_size / 1e6,
        **{f"{name}_s": value for name, value in summary["seconds"].items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    print(json.dumps(run(parser.parse_args().scale), indent=2))
