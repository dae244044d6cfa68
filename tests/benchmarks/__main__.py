"""Run the benchmarks beside each other and write down what they measured.

    uv run --group benchmark python tests/benchmarks --scale 0.1 --only gam

Every module `bench_*.py` in this folder has `run(scale)`, which returns rows of measurements: one
dictionary a row, with CPU seconds (`cpu_s`) rather than wall time wherever it can, and ratios
between contenders that ran on the same data in the same run. Each module runs in a process of its
own with one BLAS thread, and with the kernels that BLAS chooses for the processor, so that its CPU
time and peak memory are its own. A module whose libraries are not installed is reported as such.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # kernels of another processor
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code is 1 where a benchmark failed."""
    options = _parser().parse_args(arguments)
    if options.child:
        print(json.dumps(_measure(options.child, options.scale)))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 220)
    results = {}
    for name in _selected(options.only):
        with console.status(f"{name} at scale {options.scale:g}"):
            results[name] = _in_own_process(name, options.scale)
        _print(console, name, results[name])
    report = {"scale": options.scale, "environment": _environment(), "benchmarks": results}
    options.out.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n")
    console.print(f"written to {options.out}")
    return int(any("error" in result for result in results.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--only", action="append", metavar="NAME", help="a benchmark, repeatable")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"), metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser


def _selected(only: Sequence[str] | None) -> list[str]:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; there are: {', '.join(names)}")
    return [name for name in names if not only or name in only]


def _in_own_process(name: str, scale: float) -> Row:
    command = [sys.executable, str(HERE), "--child", name, "--scale", str(scale)]
    environment = {key: value for key, value in os.environ.items() if key not in SLOWING}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**environment, **ONE_THREAD}
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    result: Row = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(name: str, scale: float) -> Row:
    try:
        module = importlib.import_module(f"bench_{name}")
    except ModuleNotFoundError as error:
        return {"missing": f"needs {error.name}: uv sync --group benchmark"}
    rows: list[Row] = module.run(scale)
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return {
        "rows": rows,
        "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in (own, children)),
        "peak_mb": max(own.ru_maxrss, children.ru_maxrss) * unit / 1e6,
    }


def _print(console: Console, name: str, result: Row) -> None:
    if "rows" not in result:
        console.print(f"{name}: {result.get('missing') or result['error']}", style="red")
        return
    title = f"{name}: {result['cpu_s']:.1f} CPU s, peak {result['peak_mb']:.0f} MB"
    table = Table(title=title, title_justify="left")
    columns = list(dict.fromkeys(column for row in result["rows"] for column in row))
    for column in columns:
        table.add_column(column)
    for row in result["rows"]:
        table.add_row(*(_shown(row.get(column)) for column in columns))
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _environment() -> Row:
    versions = {found.metadata["Name"]: found.version for found in distributions()}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": dict(sorted(versions.items(), key=lambda item: item[0].lower())),
    }


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


if __name__ == "__main__":
    sys.exit(main())
