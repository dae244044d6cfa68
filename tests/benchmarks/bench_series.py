"""What one series costs with what people use instead: two years of half-hours, one core.

    python tests/benchmarks/bench_series.py --scale 0.25

Additive models of the same terms by this library (alone, and as one of a panel), pyGAM and mgcv's
``bam``, where R is installed; LightGBM with the same features; and models for one
series each: exponential smoothing and SARIMAX beside statsforecast's MSTL with AutoETS. CPU time is
that of the fit alone, `forecast_cpu_s` that of a day ahead. `ratio` is how many times as much as a
series of the panel. `error` is the distance from the simulated truth, root mean square, of models
that smooth; their λ are chosen by REML.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np
from bench_gam import features, terms  # type: ignore[import-not-found]
from numpy.typing import NDArray

from loopcast_forecasting.gam import Reml, fit_panel, fit_series
from loopcast_forecasting.univariate.ets import Ets
from loopcast_forecasting.univariate.hyperparameters import EtsParameters, SarimaxParameters
from loopcast_forecasting.univariate.sarimax import Sarimax

Row = dict[str, Any]
Floats = NDArray[np.float64]

ROWS = 35_088
PANEL = 200  # series
TRUTHS = 8  # series whose distance from the truth is measured
WEEKS = 8  # of models for one series each
DAY = 48

# The same terms; discrete=TRUE does not find their λ, where main effects are in te() once more, so
# that ti(), which has none, takes its place there.
MGCV_FORMS = (("bam, the same terms", "te", "FALSE"), ("bam(discrete=TRUE), ti()", "ti", "TRUE"))
MGCV = """
library(mgcv)
a <- commandArgs(TRUE); n <- as.integer(a[2]); k <- as.integer(a[3])
X <- matrix(readBin(a[1], "double", n * 9), n); Y <- matrix(readBin(a[4], "double", n * k), n)
d <- data.frame(h=X[,1], doy=X[,2], t=X[,3], ts=X[,4], wd=X[,5], sa=X[,6], su=X[,7], yr=X[,8],
                w=factor(X[,9]))
ends <- list(h=c(0, 24), doy=c(0, 365))
spent <- 0; fits <- matrix(0, n, k)
for (i in 1:k) {
  d$y <- Y[, i]
  spent <- spent + sum(system.time(m <- bam(
    y ~ s(h, by=wd, bs="cp", k=24) + s(h, by=sa, bs="cp", k=24) + s(h, by=su, bs="cp", k=24) +
      s(doy, bs="cp", k=20) + s(t, bs="ps", k=20) + s(ts, bs="ps", k=20) +
      %s(h, t, bs=c("cp", "ps"), k=c(16, 10), np=FALSE) + s(w, bs="re") + yr,
    data=d, discrete=%s, method="fREML", knots=ends, nthreads=1))[1:2])
  fits[, i] <- fitted(m)
}
writeBin(as.vector(fits), a[5])
cat(spent / k, as.character(packageVersion("mgcv")), R.version$minor, length(coef(m)), "\\n")
"""


def run(scale: float) -> list[Row]:
    """Measure every contender on a share of the rows."""
    n = max(4_000, round(ROWS * scale))
    X = features(n)
    Y, truth = simulated(X)
    fit_panel(terms(), X[:2000], Y[:2000])  # loads what is loaded lazily
    panel = of_panel(X, Y, truth)
    rows = [panel, *smoothers(X, Y, truth), boosted(X, Y[:, 0]), *for_each(Y[:, 0])]
    return [compared(row, panel["cpu_s"]) for row in rows]


def simulated(X: Floats) -> tuple[Floats, Floats]:
    """Return series that are smooth functions of the features with noise, and the functions."""
    rng = np.random.default_rng(3)
    hour, workday = 2 * np.pi * X[:, 0] / 24, X[:, 4]
    shapes = np.column_stack(
        [
            np.sin(hour) * workday + 0.4 * np.sin(2 * hour),
            np.cos(2 * np.pi * X[:, 1] / 365),
            0.01 * (X[:, 2] - 16) ** 2,
            np.tanh((X[:, 3] - 18) / 4),
            0.05 * (X[:, 2] - 16) * np.cos(hour),
        ]
    )
    truth = 30 + shapes @ rng.gamma(2.0, 0.5, (shapes.shape[1], TRUTHS))
    return truth + rng.normal(size=truth.shape), truth


def error(fitted: Floats, truth: Floats) -> float:
    """Return the root mean square distance from the truth."""
    return float(np.sqrt(np.mean((fitted - truth) ** 2)))


def of_panel(X: Floats, Y: Floats, truth: Floats) -> Row:
    """Measure a series of a panel, λ for each series and term."""
    many = np.tile(Y, (1, PANEL // TRUTHS))
    model, spent = timed(lambda: fit_panel(terms(), X, many, smoothing=Reml()))
    assert not model.failures
    return {
        "name": f"loopcast, one of {many.shape[1]} series",
        "cpu_s": spent / many.shape[1],
        "coefficients": model.design.n_coefs,
        "error": error(model.predict(X)[:, :TRUTHS], truth),
    }


def smoothers(X: Floats, Y: Floats, truth: Floats) -> Iterator[Row]:
    """Measure additive models of the same terms, one series at a time."""
    from pygam import LinearGAM

    alone, spent = timed(lambda: fit_series(terms(), X, Y[:, 0]))
    size = alone.design.n_coefs
    yield {"name": "loopcast, one series", "cpu_s": spent, "coefficients": size}
    _, spent = timed(lambda: LinearGAM(terms()).fit(X, Y[:, 0]))
    yield {"name": "pyGAM, λ given", "cpu_s": spent, "coefficients": size}
    for label, *form in MGCV_FORMS:
        yield mgcv(f"mgcv {label}, fREML", MGCV % tuple(form), X, Y, truth)


def mgcv(name: str, code: str, X: Floats, Y: Floats, truth: Floats) -> Row:
    """Measure ``bam`` in a process of R, which reports the CPU time of the fits alone."""
    if shutil.which("Rscript") is None:
        return {"name": name, "missing": "needs R with mgcv: apt-get install r-cran-mgcv"}
    with tempfile.TemporaryDirectory() as folder:
        script, inputs, outputs, fits = (Path(folder) / part for part in ("s.R", "X", "Y", "f"))
        script.write_text(code)
        inputs.write_bytes(X.tobytes(order="F"))
        outputs.write_bytes(Y.tobytes(order="F"))
        sizes = [str(size) for size in (*Y.shape, outputs, fits)]
        process = subprocess.Popen(
            ["Rscript", "--vanilla", str(script), str(inputs), *sizes],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        printed, complaint = process.communicate()
        if process.returncode:
            return {"name": name, "missing": complaint.strip().splitlines()[-1]}
        fitted = np.frombuffer(fits.read_bytes()).reshape(Y.shape[::-1]).T
    spent, version, minor, size = printed.split()
    return {
        "name": f"{name} ({version}, R 4.{minor})",
        "cpu_s": float(spent),
        "coefficients": int(size),
        "error": error(fitted, truth),
    }


def boosted(X: Floats, y: Floats) -> Row:
    """Measure LightGBM with the features of the additive models."""
    import lightgbm

    options = {"num_leaves": 63, "learning_rate": 0.05, "num_threads": 1, "verbose": -1}
    model, spent = timed(lambda: lightgbm.train(options, lightgbm.Dataset(X, y), 500))
    _, ahead = timed(lambda: model.predict(X[:DAY], num_threads=1))
    return {"name": "LightGBM, 500 trees", "cpu_s": spent, "forecast_cpu_s": ahead}


def for_each(y: Floats) -> Iterator[Row]:
    """Measure models for one series each, on its last weeks."""
    values = y[-WEEKS * 7 * DAY :] / np.abs(y).mean()
    ets = Ets(settings=EtsParameters(window_weeks=WEEKS), per_day=DAY)
    yield univariate(
        "loopcast ets, season of a week", ets, values, np.empty((len(values) + DAY, 0))
    )
    turns = np.arange(len(values) + DAY)[:, None] / DAY * np.array([1, 2, 3, 4, 1 / 7, 2 / 7])
    waves = np.hstack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)])
    sarimax = Sarimax(settings=SarimaxParameters(window_weeks=WEEKS), per_day=DAY)
    centred = (values - values.mean()) / values.std()
    yield univariate("loopcast sarimax (2, 0, 1), 12 harmonics", sarimax, centred, waves)
    yield statsforecast(values)


def univariate(name: str, method: Ets | Sarimax, values: Floats, X: Floats) -> Row:
    """Measure a model that statsmodels fits."""
    params, spent = timed(lambda: method.fit(values, X[: len(values)]))
    _, ahead = timed(lambda: method.forecast(params, values, X, DAY))
    return {"name": name, "rows": len(values), "cpu_s": spent, "forecast_cpu_s": ahead}


def statsforecast(values: Floats) -> Row:
    """Measure MSTL with AutoETS on the trend, once its code is compiled."""
    from statsforecast.models import MSTL, AutoETS

    def fit() -> Any:
        return MSTL(season_length=[DAY, 7 * DAY], trend_forecaster=AutoETS(model="ZZN")).fit(values)

    fit()
    model, spent = timed(fit)
    _, ahead = timed(lambda: model.predict(h=DAY))
    name = "statsforecast MSTL + AutoETS"
    return {"name": name, "rows": len(values), "cpu_s": spent, "forecast_cpu_s": ahead}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what some work gives, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def compared(row: Row, panel: float) -> Row:
    """Add how many times as much as a series of the panel it is."""
    return {**row, "ratio": row["cpu_s"] / panel} if "cpu_s" in row else row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    for line in run(parser.parse_args().scale):
        print(json.dumps(line, ensure_ascii=False))
