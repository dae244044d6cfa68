"""How far a panel's fit is from what the processor could do at best.

    python tests/benchmarks/bench_limits.py --scale 0.1

First what this machine does: bytes a second read from memory, and floating-point operations a
second in matrix products of the fit's own shape (BLAS, one thread). Then what a fit has to do, and
how long that takes at these rates: read the data once; form the right sides, in the precision of
the data; form the Gram matrix once and factorise it once. `of_limit` is the CPU time that a fit
took, beside that.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np
from bench_gam import ROWS, SERIES, features, panel, terms, warm_up  # type: ignore[import-not-found]

from loopcast_forecasting.gam import Fixed, fit_panel
from loopcast_forecasting.gam.design import compile_design
from loopcast_forecasting.gam.gram import Block, pack

Row = dict[str, Any]

READ_BYTES = 2**29
REPEATS = 5
CHUNK = 512  # series that are worked on at once


def run(scale: float) -> list[Row]:
    """Measure rates, and panels of four sizes beside what the rates allow."""
    most = max(200, round(SERIES * scale))
    X = features(ROWS)
    Y = panel(X, most)
    warm_up(X, Y)
    design, _ = compile_design(terms(), X, [f"x{k}" for k in range(X.shape[1])])
    blocks = pack(design, X)
    columns = float(np.mean([len(block.columns) for block in blocks]))
    rates = {
        "read_gb_s": read_rate(),
        "float32_gflops": product_rate(round(columns), len(blocks[0].rows), CHUNK, np.float32),
        "float64_gflops": product_rate(round(columns), len(blocks[0].rows), None, np.float64),
    }
    machine = {"name": "machine", **rates}
    sizes = (most // 8, most // 4, most // 2, most)
    return [machine, *(beside_limit(X, Y[:, :n], blocks, design.n_coefs, rates) for n in sizes)]


def beside_limit(X: Any, Y: Any, blocks: list[Block], n_coefs: int, rates: Row) -> Row:
    """Measure a fit at given λ, and what it would take at the machine's rates."""
    n_series = Y.shape[1]
    cells = sum(len(block.rows) * len(block.columns) for block in blocks)
    squares = sum(len(block.rows) * len(block.columns) ** 2 for block in blocks)
    read = Y.nbytes / rates["read_gb_s"] / 1e9
    right = 2 * cells * n_series / rates["float32_gflops"] / 1e9
    gram = (2 * squares + n_coefs**3 / 3) / rates["float64_gflops"] / 1e9
    start = time.process_time()
    model = fit_panel(terms(), X, Y, smoothing=Fixed())
    spent = time.process_time() - start
    assert not model.failures
    limit = read + right + gram
    return {
        "name": "panel, λ given",
        "series": n_series,
        "cpu_s": spent,
        "read_s": read,
        "right_sides_s": right,
        "gram_and_factor_s": gram,
        "limit_s": limit,
        "of_limit": spent / limit,
    }


def read_rate() -> float:
    """Return GB a second that a sum over more than any cache reads."""
    values = np.ones(READ_BYTES // 4, np.float32)
    return float(values.nbytes / best(lambda: np.add.reduce(values)) / 1e9)


def product_rate(columns: int, rows: int, series: int | None, precision: Any) -> float:
    """Return GFLOP a second of products of a block with series, or with itself."""
    block = np.random.default_rng(0).normal(size=(rows, columns)).astype(precision)
    other = block if series is None else np.ones((rows, series), precision)
    many = 50

    def work() -> None:
        for _ in range(many):
            block.T @ other

    return float(many * 2 * rows * columns * other.shape[1] / best(work) / 1e9)


def best(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of some repetitions."""
    spent = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    for line in run(parser.parse_args().scale):
        print(json.dumps(line, ensure_ascii=False))
