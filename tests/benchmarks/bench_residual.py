"""What the residual step costs for a panel: the direct ridge, and the sparse autoregression.

    python tests/benchmarks/bench_residual.py --scale 0.1

CPU time per series, in milliseconds, from residuals in memory (half-hours, float64) to fitted
coefficients; for the ridge it includes laying out days and choosing the penalty. The panel is made
and fitted in parts, so that memory does not grow with it. The reference does the same series by
series with `numpy.linalg.lstsq`, for the ridge at the penalty that was found; `distance` is the
largest difference of coefficients, beside the largest coefficient.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

if __name__ == "__main__":
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ.pop("OPENBLAS_CORETYPE", None)  # one that does not fit the machine slows it down
    os.environ.pop("OPENBLAS_L2_SIZE", None)

import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast_forecasting.additive.hyperparameters import GamArParameters, GamRidgeParameters
from loopcast_forecasting.direct.curves import (
    DayGrid,
    coefficients,
    cosine_basis,
    daily_table,
    day_grid,
)
from loopcast_forecasting.direct.ridge_days import fit_direct_ridge
from loopcast_forecasting.residual.ar import fit_ar
from loopcast_forecasting.residual.ar_step import lags_in_steps
from loopcast_forecasting.residual.ridge import PanelRidge

Row = dict[str, Any]
Floats = NDArray[np.float64]

SERIES = 5_000
AT_ONCE = 250
YEARS = (1, 2)
DAYS = (1, 2, 7)
REFERENCE_SERIES = 20
RIDGE_TARGET_MS, AR_TARGET_MS = 0.5, 0.1  # milliseconds of CPU time a series
SPARSE = (1, 2, 3, 48, 96, 336)
GAPS = 0.05


def run(scale: float) -> list[Row]:
    """Measure the residual model on panels of one and two years."""
    n_series = max(AT_ONCE, round(SERIES * scale))
    with_neighbours = tuple(lags_in_steps(GamArParameters(), 48))
    few = max(AT_ONCE, n_series // 20)
    return [
        {"name": name, "series": series, "years": years, **measure(series, years)}
        for name, series, measure in (
            ("direct ridge", n_series, _direct_ridge),
            ("sparse AR, 6 lags", n_series, partial(_sparse_ar, SPARSE)),
            ("sparse AR, 12 lags", n_series, partial(_sparse_ar, with_neighbours)),
            ("sparse AR, 6 lags, 5 % missing", few, partial(_sparse_ar, SPARSE, gaps=GAPS)),
        )
        for years in YEARS
    ]


def _sparse_ar(lags: tuple[int, ...], n_series: int, years: int, gaps: float = 0.0) -> Row:
    spent, part = _total(lambda part, grid: fit_ar(part, lags), n_series, years, gaps)
    fitted = fit_ar(part, lags)
    start = time.process_time()
    expected = np.array([_least_squares_ar(series, lags) for series in part.T])
    reference = time.process_time() - start
    own = spent / n_series
    return _row(own, AR_TARGET_MS, reference / len(expected), fitted.phi.T, expected)


def _least_squares_ar(values: Floats, lags: tuple[int, ...]) -> Floats:
    longest = max(lags)
    Z = np.column_stack([values[longest - lag : len(values) - lag] for lag in lags])
    rows = np.isfinite(Z).all(axis=1) & np.isfinite(values[longest:])
    return np.asarray(np.linalg.lstsq(Z[rows], values[longest:][rows])[0])


def _direct_ridge(n_series: int, years: int) -> Row:
    cosines = GamRidgeParameters().cosines
    spent, part = _total(
        lambda part, grid: fit_direct_ridge(part, grid, DAYS, 1, cosines), n_series, years
    )
    grid = _grid(years)
    fitted = fit_direct_ridge(part, grid, DAYS, 1, cosines).days[0].ridge
    table, _ = daily_table(part, grid, int(grid.day[-1]) + 1)
    curves = coefficients(table, cosine_basis(grid.per_day, cosines))
    start = time.process_time()
    expected = np.array(
        [_least_squares_ridge(curves[k], fitted.penalty[k]) for k in range(len(curves))]
    )
    reference = time.process_time() - start
    own = spent / n_series
    return _row(own, RIDGE_TARGET_MS, reference / len(expected), _flat(fitted), expected)


def _least_squares_ridge(curves: Floats, penalty: float) -> Floats:
    longest, days = max(DAYS), curves.shape[1]
    Z = np.vstack([curves[:, longest - lag : days - lag] for lag in DAYS]).T
    Y = curves[:, longest:].T
    shrink = np.sqrt(penalty) * np.eye(Z.shape[1])
    left = np.vstack([Z - Z.mean(axis=0), shrink])
    right = np.vstack([Y - Y.mean(axis=0), np.zeros((len(shrink), Y.shape[1]))])
    return np.asarray(np.linalg.lstsq(left, right)[0].T.ravel())


def _flat(fitted: PanelRidge) -> Floats:
    return fitted.coef.reshape(len(fitted.coef), -1)


def _row(own: float, target: float, reference: float, found: Floats, expected: Floats) -> Row:
    return {
        "ms_a_series": 1000 * own,
        "target_ms": target,
        "least_squares_ms_a_series": 1000 * reference,
        "ratio": reference / own,
        "distance": float(np.abs(found - expected).max() / np.abs(expected).max()),
    }


def _total(
    fit: Callable[[Floats, DayGrid], object], n_series: int, years: int, gaps: float = 0.0
) -> tuple[float, Floats]:
    """Return the CPU seconds that a panel takes, and some of its series."""
    spent, grid = 0.0, _grid(years)
    part = np.empty((0, 0))
    rng = np.random.default_rng(1)
    for part in _parts(n_series, len(grid.day)):
        if gaps:
            part[rng.random(part.shape) < gaps] = np.nan
        start = time.process_time()
        fit(part, grid)
        spent += time.process_time() - start
    return spent, part[:, :REFERENCE_SERIES]


def _grid(years: int) -> DayGrid:
    times = pd.date_range(
        "2012-01-01",
        f"{2012 + years}-01-01",
        freq="30min",
        tz="Australia/Melbourne",
        inclusive="left",
    )
    return day_grid(times, "30min", times[0])


def _parts(n_series: int, n: int) -> Iterator[Floats]:
    """Yield residuals that persist from step to step and from day to day, in Fortran order."""
    rng = np.random.default_rng(0)
    daily = np.exp(-np.arange(48.0) / 12)
    for start in range(0, n_series, AT_ONCE):
        width = min(AT_ONCE, n_series - start)
        noise = rng.normal(size=(n + 48, width))
        part = np.asfortranarray(noise[48:] + noise[:-48] * 0.5)
        for lag, weight in enumerate(daily[1:6], start=1):
            part[lag:] += weight * noise[48:-lag]
        yield part


def main() -> None:
    """Measure at the scale of the command line and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    for row in run(parser.parse_args().scale):
        print(
            ", ".join(
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            )
        )


if __name__ == "__main__":
    main()
