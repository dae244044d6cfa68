"""Additive models for panels, beside pyGAM fitting one series in the same process.

    python tests/benchmarks/bench_gam.py --scale 0.1

At full scale: 5,000 series of 35,088 half-hours that share calendar and weather, about 300
coefficients. ``pygam_cpu_s`` is pyGAM's time for one series at fixed λ, ``ratio`` how many times
less a series costs here. ``peak_gb`` is what the process held at most above what it held before.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

# Must be set before NumPy loads its BLAS; a core type that does not fit the machine slows it down.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pygam import LinearGAM, f, l, s, te

from loopcast_forecasting.gam import Fixed, GcvGrid, PanelGam, Reml, fit_panel, fit_series

Row = dict[str, Any]
Floats = NDArray[np.float64]

SERIES, ROWS = 5_000, 35_088
STREAMED = 256  # series read at a time


def run(scale: float) -> list[Row]:
    """Measure everything at a share of the full number of series."""
    n_series = max(24, round(SERIES * scale))
    X = features(ROWS)
    Y = panel(X, n_series)
    warm_up(X, Y)
    one = pygam_seconds(X, Y[:, 0])
    rows: list[Row] = [{"name": "pygam, one series", "series": 1, "rows": ROWS, "cpu_s": one}]
    rows += [compared(row, one) for row in panels(X, Y)]
    rows += [compared(row, one) for row in single(X, Y[:, 0])]
    rows += [compared(streamed(X, Y), one)]
    return [*rows, *growth(scale)]


def features(n: int) -> Floats:
    """Return hour, day of year, temperature, its smoothed past, three day types, year, weekday."""
    rng = np.random.default_rng(0)
    t = np.arange(n)
    hour, day = (t % 48) / 2, t // 48
    season = np.cos(2 * np.pi * (day - 15) / 365)
    weather = np.repeat(np.cumsum(rng.normal(size=n // 48 + 1)) % 7, 48)[:n]
    warm = 15 + 8 * season + 5 * np.sin(2 * np.pi * (hour - 9) / 24) + weather
    memory = np.exp(-np.arange(100) / 50)
    smoothed = np.convolve(np.r_[np.full(99, warm[0]), warm], memory / memory.sum(), "valid")
    weekday = day % 7
    types = [weekday < 5, weekday == 5, weekday == 6]
    return np.column_stack([hour, day % 365, warm, smoothed, *types, day / 365, weekday])


def terms(width: float = 1.0) -> Any:
    """Return a model of about 300 coefficients, or fewer or more."""

    def size(k: int) -> int:
        return max(5, round(k * width))

    day = {"basis": "cp", "edge_knots": [0, 24]}
    year = {"basis": "cp", "edge_knots": [0, 365]}
    types = s(0, n_splines=size(24), by=4, **day) + s(0, n_splines=size(24), by=5, **day)
    types += s(0, n_splines=size(24), by=6, **day)
    weather = s(2, n_splines=size(20)) + s(3, n_splines=size(20))
    interaction = te(
        s(0, n_splines=size(16), **day), s(2, n_splines=max(5, round(10 * width**0.5)))
    )
    return types + s(1, n_splines=size(20), **year) + weather + interaction + f(8) + l(7)


def panel(X: Floats, n_series: int) -> NDArray[np.float32]:
    """Return series that share shapes with gains of their own, and noise."""
    rng = np.random.default_rng(1)
    shapes = np.column_stack(
        [
            np.sin(2 * np.pi * X[:, 0] / 24) * X[:, 4],
            0.02 * (X[:, 2] - 15) ** 2,
            np.cos(2 * np.pi * X[:, 1] / 365),
        ]
    ).astype(np.float32)
    Y = rng.standard_normal((len(X), n_series), dtype=np.float32)
    Y += shapes @ rng.gamma(2, 1, (3, n_series)).astype(np.float32)
    Y += np.float32(30)
    return Y


def warm_up(X: Floats, Y: NDArray[np.float32]) -> None:
    """Load what is loaded lazily."""
    fit_panel(terms(), X[:2000], Y[:2000, :24])


def pygam_seconds(X: Floats, y: NDArray[np.float32]) -> float:
    """Measure pyGAM on one series at fixed λ."""
    start = time.process_time()
    LinearGAM(terms()).fit(X, y.astype(float))
    return time.process_time() - start


def compared(row: Row, pygam: float) -> Row:
    """Add pyGAM's time for one series and the ratio to a series' time here."""
    each = row["cpu_s"] / row["series"]
    return {**row, "ms_a_series": 1e3 * each, "pygam_cpu_s": pygam, "ratio": pygam / each}


def panels(X: Floats, Y: NDArray[np.float32]) -> Iterator[Row]:
    """Measure a panel in memory with each choice of λ, with missing values and with weights."""
    yield fitted("panel, fixed λ", X, Y, smoothing=Fixed())
    yield fitted("panel, 37 multipliers by GCV", X, Y, smoothing=GcvGrid())
    yield fitted("panel, shared λ per term by REML", X, Y, smoothing=Reml(shared=True))
    few = Y[:, : max(24, Y.shape[1] // 10)]
    yield fitted("panel, λ per series and term by REML", X, few)
    some = np.array(few[:, : max(24, few.shape[1] // 5)])
    rng = np.random.default_rng(2)
    weights = rng.uniform(0.5, 2, some.shape)
    yield fitted("weights per series, GCV", X, some, smoothing=GcvGrid(), weights=weights)
    some[rng.random(some.shape) < 0.05] = np.nan
    yield fitted("each series misses other 5 % of rows, GCV", X, some, smoothing=GcvGrid())
    yield fitted("each series misses other 5 % of rows, REML", X, some)


def single(X: Floats, y: NDArray[np.float32]) -> Iterator[Row]:
    """Measure one series with few and many coefficients."""
    for width in (1.0, 1.8, 2.7):
        name = f"one series, λ per term by REML, width {width:g}"
        yield measured(name, 1, len(X), partial(fit_series, terms(width), X, y))


def streamed(X: Floats, Y: NDArray[np.float32]) -> Row:
    """Measure a panel read from Parquet a few columns at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.parquet"
        columns = {f"{k}": np.ascontiguousarray(Y[:, k]) for k in range(Y.shape[1])}
        pq.write_table(pa.table(columns), path, row_group_size=len(Y), use_dictionary=False)
        del columns

        def chunks() -> Iterator[NDArray[np.float32]]:
            file = pq.ParquetFile(path)
            names = file.schema_arrow.names
            for start in range(0, len(names), STREAMED):
                table = file.read(columns=names[start : start + STREAMED], use_threads=False)
                yield np.stack([column.to_numpy() for column in table.columns]).T

        return measured(
            "panel from Parquet, 37 multipliers by GCV",
            Y.shape[1],
            len(Y),
            lambda: fit_panel(terms(), X, chunks(), smoothing=GcvGrid()),
        )


def growth(scale: float) -> Iterator[Row]:
    """Measure how the cost of the grid grows with series, rows and coefficients."""
    most = max(96, round(2_000 * scale))
    X = features(2 * ROWS)
    Y = panel(X, most)
    grid = GcvGrid()
    for n_series in (most // 8, most // 4, most // 2, most):
        yield fitted("grows with series", X[:ROWS], Y[:ROWS, :n_series], smoothing=grid)
    for n in (ROWS // 4, ROWS // 2, ROWS, 2 * ROWS):
        yield fitted("grows with rows", X[:n], Y[:n, : most // 2], smoothing=grid)
    for width in (0.5, 1.0, 1.8, 2.7):
        yield fitted(
            "grows with coefficients", X[:ROWS], Y[:ROWS, : most // 2], width, smoothing=grid
        )


def fitted(name: str, X: Floats, Y: NDArray[np.float32], width: float = 1.0, **how: Any) -> Row:
    """Measure `fit_panel`."""
    return measured(name, Y.shape[1], len(Y), lambda: fit_panel(terms(width), X, Y, **how))


def measured(name: str, n_series: int, n: int, fit: Callable[[], PanelGam]) -> Row:
    """Measure CPU time and peak memory of a fit that must succeed for every series."""
    before = _memory(reset=True)
    start = time.process_time()
    model = fit()
    seconds = time.process_time() - start
    assert not model.failures, model.failures
    return {
        "name": name,
        "series": n_series,
        "rows": n,
        "coefficients": model.design.n_coefs,
        "cpu_s": seconds,
        "peak_gb": max(0.0, _memory() - before),
    }


def _memory(*, reset: bool = False) -> float:
    """Return the peak memory in GB since the last reset; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    for line in run(parser.parse_args().scale):
        print(json.dumps(line, ensure_ascii=False))
