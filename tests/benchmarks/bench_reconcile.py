"""What reconciliation costs: CPU seconds, peak memory and coherence, beside hierarchicalforecast.

    python tests/benchmarks/bench_reconcile.py --scale 0.1

Every measurement runs in a process of its own with one BLAS thread. CPU time starts from a summing
matrix, base forecasts and error variances (or errors) in memory and ends with coherent forecasts;
it includes finding the hierarchy's structure. Peak memory is that of the whole process, Python and
its libraries included. Where the reference cannot do a job at full size in reasonable time or
memory, both run it at `reference_size` too, and the ratio is taken there. `reference_distance` is
how far its values are from the exact ones, beside the terms that each node adds up and the size of
a typical meter.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from loopcast_forecasting.reconcile import (
    Covariance,
    coherence_error,
    crossed,
    prepare,
    reconcile,
    reconcile_blocks,
    reconcile_levels,
    shrinkage,
    temporal,
)

Row = dict[str, Any]
Array = NDArray[np.float64]
Summing = csr_array[np.float64, tuple[int, int]]

HORIZON = 48
REPEATS = 3  # of which the fastest counts, where little is measured
GROWN = 400_000  # bottom series of the largest tree that growth is measured on
SAMPLES = 100
PATHS = 100
DULL = 0.05  # share of near-constant meters
PERIODS = (336, 48, 2, 1)
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Case:
    """A job, its full size in bottom series, and what the reference can do of it."""

    name: str
    size: int
    own: Callable[[int], Row]
    reference: Callable[[int], Row] | None = None
    reference_limit: int = 0


def run(scale: float) -> list[Row]:
    """Measure every job at a share of its full size; one dictionary a job."""
    jobs = [_compared(case, max(1_000, round(case.size * scale))) for case in CASES]
    return [*jobs, *_growth(max(8_000, round(GROWN * scale)))]


def _growth(most: int) -> Iterator[Row]:
    """Measure how a tree's cost grows with its bottom series and with the horizon."""
    for size in (most // 8, most // 4, most // 2, most):
        yield {"name": "grows with series", "size": size, **_cost(size, HORIZON)}
    for horizon in (12, 24, 48, 96):
        name = f"grows with the horizon: {horizon}"
        yield {"name": name, "size": most // 2, **_cost(most // 2, horizon)}


def _cost(size: int, horizon: int) -> Row:
    summing = _hierarchy(size)
    base, covariance = _forecasts(summing, horizon), Covariance(_variances(summing))
    runs = [_cpu(lambda: reconcile(summing, base, covariance)) for _ in range(REPEATS)]
    found, cpu_s = min(runs, key=lambda run: run[1])
    return {"cpu_s": cpu_s, "coherence_error": coherence_error(summing, found)}


def _compared(case: Case, size: int) -> Row:
    row = {"name": case.name, "size": size, **_in_own_process(case.name, size, "own")}
    if case.reference is None:
        return row
    shared = min(size, case.reference_limit)
    own = row if shared == size else _in_own_process(case.name, shared, "own")
    reference = _in_own_process(case.name, shared, "reference")
    if "error" in reference:
        return {**row, "reference_error": reference["error"]}
    return {
        **row,
        "reference_size": shared,
        "reference_cpu_s": reference["cpu_s"],
        "reference_peak_gb": reference["peak_gb"],
        "reference_coherence_error": reference["coherence_error"],
        "reference_distance": reference.get("distance"),
        "ratio": reference["cpu_s"] / own["cpu_s"],
    }


def _in_own_process(name: str, size: int, who: str) -> Row:
    command = [sys.executable, str(Path(__file__).resolve()), "--case", name]
    done = subprocess.run(
        [*command, "--size", str(size), "--who", who],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def _measured(case: Case, size: int, who: str) -> Row:
    row = case.own(size) if who == "own" else case.reference(size) if case.reference else {}
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    checks = {"coherence_error": row.pop("check"), **row.pop("later", {})}
    return {**row, "peak_gb": peak, **{name: check() for name, check in checks.items()}}


def _hierarchy(size: int, *, cross: bool = False) -> Summing:
    """Feeders of about 50 series, areas of 100 feeders, the total; and 12 tariffs across."""
    feeder = np.arange(size) // 50
    labels = [feeder // 100, feeder]
    return crossed([*labels, np.random.default_rng(1).integers(0, 12, size)] if cross else labels)


def _product(matrix: Any, dense: Array) -> Array:
    result: Array = matrix @ dense
    return result


def _forecasts(summing: Summing, columns: int = HORIZON, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    base: Array = _product(summing, rng.gamma(2.0, 0.5, (summing.shape[1], columns)))
    for start in range(0, base.shape[0], 4096):
        part = base[start : start + 4096]
        part *= rng.normal(1.0, 0.3, part.shape)
    return base


def _variances(summing: Summing, dull: float = 0.0) -> Array:
    """Error variances by the size of nodes; a share of the meters is near-constant."""
    rng = np.random.default_rng(2)
    variance = rng.lognormal(size=summing.shape[0]) * np.diff(summing.indptr)
    variance[-summing.shape[1] :][rng.random(summing.shape[1]) < dull] = 1e-6
    return variance


def _errors(summing: Summing) -> Array:
    rng = np.random.default_rng(3)
    errors = np.empty((SAMPLES, summing.shape[0]))
    common = rng.normal(size=(SAMPLES, 3))
    for start in range(0, errors.shape[1], 4096):
        part = errors[:, start : start + 4096]
        part[:] = rng.normal(size=part.shape) + common @ rng.normal(0, 0.5, (3, part.shape[1]))
    errors *= np.sqrt(_variances(summing))
    return errors


def _cpu(work: Callable[[], Array]) -> tuple[Array, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def _result(summing: Summing, found: Array, cpu_s: float) -> Row:
    return {"cpu_s": cpu_s, "check": lambda: coherence_error(summing, found)}


def _tree(size: int) -> Row:
    return _diagonal(_hierarchy(size))


def _tree_with_dull_meters(size: int) -> Row:
    return _diagonal(_hierarchy(size), DULL)


def _crossed(size: int) -> Row:
    return _diagonal(_hierarchy(size, cross=True), DULL)


def _diagonal(summing: Summing, dull: float = 0.0) -> Row:
    base, covariance = _forecasts(summing), Covariance(_variances(summing, dull))
    return _result(summing, *_cpu(lambda: reconcile(summing, base, covariance)))


def _shrinkage(size: int) -> Row:
    summing = _hierarchy(size)
    base, errors = _forecasts(summing), _errors(summing)
    return _result(summing, *_cpu(lambda: reconcile(summing, base, shrinkage(summing, errors))))


def _intermittent(summing: Summing) -> Array:
    """Forecasts of which a tenth of the meters, solar or idle, are often below zero."""
    base = _forecasts(summing)
    rng = np.random.default_rng(4)
    idle = (
        summing.shape[0]
        - summing.shape[1]
        + rng.choice(summing.shape[1], summing.shape[1] // 10, replace=False)
    )
    base[idle] = rng.normal(0.0, 0.3, (idle.size, HORIZON))
    return base


def _nonnegative(size: int, *, cross: bool = False) -> Row:
    summing = _hierarchy(size, cross=cross)
    base, covariance = _intermittent(summing), Covariance(_variances(summing))
    found, cpu_s = _cpu(lambda: reconcile(summing, base, covariance, lower=0.0))
    row = _result(summing, found, cpu_s)
    return {**row, "optimality_error": _optimality_error(summing, covariance, base, found)}


def _optimality_error(summing: Summing, covariance: Covariance, base: Array, found: Array) -> float:
    """Largest violation of the Karush-Kuhn-Tucker conditions beside its terms."""
    weight = (1.0 / covariance.variance)[:, None]
    worst = 0.0
    for column in range(found.shape[1]):
        part = slice(column, column + 1)
        tension = weight * (found[:, part] - base[:, part])
        gradient = _product(summing.T, tension)
        # Rounding of a value times its weight is part of a tension's size.
        terms = _product(summing.T, np.abs(tension) + weight * np.abs(found[:, part]))
        bottom = found[-summing.shape[1] :, part]
        violation = np.where(bottom > 0, np.abs(gradient), -gradient) / terms
        worst = max(worst, float(violation.max()), float(-bottom.min()))
    return worst


def _paths(size: int) -> Row:
    summing = _hierarchy(size)
    ready = prepare(summing, Covariance(_variances(summing)))
    spent, worst = 0.0, 0.0
    blocks = (_forecasts(summing, seed=path) for path in range(PATHS))
    for block in blocks:
        found, cpu_s = _cpu(lambda block=block: next(reconcile_blocks(ready, [block])))  # type: ignore[misc]
        spent += cpu_s
        worst = max(worst, coherence_error(ready.hierarchy, found))
    return {"cpu_s": spent, "check": lambda: worst}


def _cross_temporal(size: int) -> Row:
    space, time_nodes = _hierarchy(size), temporal(PERIODS[:-1], PERIODS[0], how="sum")
    rng = np.random.default_rng(5)
    steps = _product(space, rng.gamma(2.0, 0.5, (size, PERIODS[0])))
    base = np.ascontiguousarray(_product(time_nodes, steps.T).T)
    base *= rng.normal(1.0, 0.1, base.shape)
    variance = rng.lognormal(size=(space.shape[0], 4)) * np.diff(space.indptr)[:, None]
    found, cpu_s = _cpu(lambda: reconcile_levels(space, PERIODS, base, variance))

    def check() -> float:
        over_space = coherence_error(space, found)
        return max(over_space, coherence_error(time_nodes, np.ascontiguousarray(found.T)))

    return {"cpu_s": cpu_s, "check": check}


def _reference_tree(size: int) -> Row:
    return _reference_diagonal(size)


def _reference_tree_with_dull_meters(size: int) -> Row:
    return _reference_diagonal(size, dull=DULL)


def _reference_nonnegative(size: int) -> Row:
    return _reference_diagonal(size, nonnegative=True)


def _reference_diagonal(size: int, *, nonnegative: bool = False, dull: float = 0.0) -> Row:
    from hierarchicalforecast.methods import MinTraceSparse

    summing = _hierarchy(size)
    base = _intermittent(summing) if nonnegative else _forecasts(summing)
    matrix, covariance = csr_matrix(summing), Covariance(_variances(summing, dull))
    # Two errors whose sample variance is the one given.
    errors = np.sqrt(2.0 * covariance.variance)[:, None] * [0.0, 1.0]
    method = MinTraceSparse(method="wls_var", nonnegative=nonnegative)
    found, cpu_s = _cpu(
        lambda: np.asarray(
            method.fit_predict(
                S=matrix, y_hat=base, y_insample=errors, y_hat_insample=np.zeros_like(errors)
            )["mean"]
        )
    )

    def distance() -> float:
        exact = reconcile(summing, base, covariance)
        size_of_terms = _product(summing, np.abs(exact[-size:]) + np.abs(exact[-size:]).mean())
        return float((np.abs(found - exact) / size_of_terms).max())

    # With bounds it solves another problem: it cuts base forecasts off at zero first.
    later = {} if nonnegative else {"distance": distance}
    return {**_result(summing, found, cpu_s), "later": later}


def _reference_shrinkage(size: int) -> Row:
    from hierarchicalforecast.methods import MinTrace

    summing = _hierarchy(size)
    base, errors = _forecasts(summing), _errors(summing)
    dense, past = summing.toarray(), np.ascontiguousarray(errors.T)
    method = MinTrace(method="mint_shrink")
    found, cpu_s = _cpu(
        lambda: np.asarray(
            method.fit_predict(
                S=dense,
                y_hat=base,
                y_insample=past,
                y_hat_insample=np.zeros_like(past),
            )["mean"]
        )
    )
    return _result(summing, found, cpu_s)


CASES = [
    Case("tree, diagonal", 100_000, _tree, _reference_tree, 100_000),
    Case(
        "tree, diagonal, 5 % near-constant meters",
        100_000,
        _tree_with_dull_meters,
        _reference_tree_with_dull_meters,
        100_000,
    ),
    Case("crossed grouping, diagonal", 100_000, _crossed),
    Case("tree, MinT-shrink", 100_000, _shrinkage, _reference_shrinkage, 2_000),
    Case("tree, non-negative", 100_000, _nonnegative, _reference_nonnegative, 20_000),
    Case("crossed grouping, non-negative", 100_000, partial(_nonnegative, cross=True)),
    Case("tree of a million, diagonal", 1_000_000, _tree),
    Case(f"tree, {PATHS} sample paths streamed", 100_000, _paths),
    Case("tree by half-hour, hour, day, week", 10_000, _cross_temporal),
]


def main() -> None:
    """Print all rows as JSON; with ``--case``, one measurement in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--who", choices=["own", "reference"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is None:
        print(json.dumps(run(options.scale), indent=2))
        return
    case = next(case for case in CASES if case.name == options.case)
    print(json.dumps(_measured(case, options.size, options.who)))


if __name__ == "__main__":
    main()
