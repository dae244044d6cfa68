"""What models cost as files on a device: size, error, time of a row, and bytes of an update.

48 additive models of half-hourly demand of Victoria (shared data, 2012 to 2014), one for each
half-hour of the day with eight smooths of twenty knots, in one file: a feature says which of them
a row is for. An update is the difference, as the wire sends it, to the same file after coefficients
have moved by about one percent; that is measured for the five regions of the National Electricity
Market (shared data, 2013 and 2014) too. Times are CPU of LiteRT with one thread, with XNNPACK as it
comes and without it as the agent runs it; beside it pyGAM predicts rows of one of the models.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from pygam import LinearGAM, l, s

from loopcast.api import graph as g
from loopcast.deploy.compress.knots import with_fewer_knots
from loopcast.deploy.export.tflite.centred import centred
from loopcast.deploy.export.tflite.storage import PRECISIONS, Precision
from loopcast.deploy.export.tflite.write import Written, write_tflite
from loopcast_edge.wire.delta import make_delta
from loopcast_forecasting.features.weather import previous_day_extremes, smoothed
from loopcast_forecasting.gam import PanelGam, fit_panel
from loopcast_forecasting.portable.terms import terms_of

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ZONES = {
    "NSW": "Australia/Sydney",
    "QLD": "Australia/Brisbane",
    "SA": "Australia/Adelaide",
    "TAS": "Australia/Hobart",
    "VIC": "Australia/Melbourne",
}
RECENT = 30_000  # half-hours of a region
SLOTS, KNOTS, BATCH = 48, 20, 128
NAMES = (
    "temperature",
    "6h",
    "24h",
    "50h",
    "lowest",
    "highest",
    "season",
    "years",
    "weekday",
    "free",
)

Row = dict[str, Any]
Floats = NDArray[np.float64]


def run(scale: float) -> list[Row]:
    """Fit the models, and write, run and update their file."""
    X, y = _half_hours(pd.read_csv(DATA / "vic_elec" / "vic_elec.csv.gz"), ZONES["VIC"])
    X, y = (part[-max(20_000, round(len(y) * scale)) :] for part in (X, y))
    model = _fitted(X, y)
    rows = [_file(model, X, precision, 0.0) for precision in PRECISIONS]
    rows += [_file(model, X, "int8", 1e-3)]
    rows += [_one_model(model, X), _pygam(X, y)]
    rows += [_update(model, precision, share) for precision in PRECISIONS for share in (0.01, 1.0)]
    return rows + [_region(region) for region in ZONES]


def _region(region: str) -> Row:
    """Return what all that moves by about one percent costs another region in eight bits."""
    table = pd.read_parquet(DATA / "nem_hierarchy" / "nem_halfhourly_long.parquet")
    own = table[table["region"] == region].sort_values("ts_utc", ignore_index=True)
    X, y = (part[-RECENT:] for part in _half_hours(own, ZONES[region]))
    model = _fitted(X, y)
    file = write_tflite(_graph(model), "int8").content
    found = _runner(file, X.astype(np.float32), OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    found()
    update = _update(model, "int8", 1.0)
    error = float(np.abs(found.answer() / _expected(model, X) - 1.0).max())
    return update | {"what": f"{region}: {update['what']}", "error": error}


def _half_hours(table: pd.DataFrame, zone: str) -> tuple[Floats, Floats]:
    local = pd.to_datetime(table["ts_utc"], utc=True).dt.tz_convert(zone)
    temperature = table["temp_c"].to_numpy(np.float64)
    day = pd.factorize(local.dt.date)[0]
    slot = (local.dt.hour * 2 + local.dt.minute // 30).to_numpy()
    free = table["is_holiday"].to_numpy(bool) | (local.dt.day_of_week >= 5).to_numpy()
    X = np.column_stack(
        [
            temperature,
            *(smoothed(temperature, hours, 0.5) for hours in (6.0, 24.0, 50.0)),
            *previous_day_extremes(temperature, day),
            local.dt.day_of_year / 366,
            (local - local.iloc[0]).dt.total_seconds() / 31_557_600,
            local.dt.day_of_week,
            free,
            slot,
        ]
    ).astype(np.float64)
    return X, np.log(table["demand_mw"].to_numpy(np.float64))


def _terms(X: Floats) -> Any:
    ends = [[float(X[:, k].min()), float(X[:, k].max())] for k in range(9)]
    terms = s(6, n_splines=KNOTS, basis="cp", edge_knots=[0, 1])
    for k in (0, 1, 2, 3, 4, 5, 7):
        terms += s(k, n_splines=KNOTS, edge_knots=ends[k])
    return terms + l(9)


def _fitted(X: Floats, y: Floats) -> PanelGam:
    slot = X[:, -1].astype(int)
    Y = np.full((len(y), SLOTS), np.nan)
    Y[np.arange(len(y)), slot] = y
    return fit_panel(_terms(X), X[:, :-1], Y, feature_names=NAMES)


def _graph(model: PanelGam) -> g.Graph:
    """Return all models in one graph; the last feature chooses among them."""
    return _of(_additive(model))


def _additive(model: PanelGam) -> g.Additive:
    terms = terms_of(model.design, model.coef)
    return centred(g.Additive(terms, model.coef[-1], choice=len(NAMES)))


def _of(additive: g.Additive) -> g.Graph:
    names = NAMES if additive.choice is None else (*NAMES, "half-hour")
    level = float(additive.intercept.mean())
    near_zero = replace(additive, intercept=additive.intercept - level)
    output = g.Product(g.Constant((float(np.exp(level)),)), g.Exponential(near_zero))
    return g.Graph(features=names, output=output, outputs=("demand",))


def _expected(model: PanelGam, X: Floats) -> Floats:
    each = model.predict(X[:, :-1])
    return np.asarray(np.exp(each[np.arange(len(X)), X[:, -1].astype(int)]))


def _file(model: PanelGam, X: Floats, precision: Precision, moved: float) -> Row:
    written = write_tflite(_of(with_fewer_knots(_additive(model), moved)), precision)
    return {
        "what": f"{SLOTS} models, {precision}" + (", fewer knots" if moved else ""),
        **_measured(written, X.astype(np.float32), _expected(model, X)),
    }


def _one_model(model: PanelGam, X: Floats) -> Row:
    rows = X[X[:, -1] == 24]
    additive = g.Additive(terms_of(model.design, model.coef[:, [24]]), model.coef[-1, [24]])
    written = write_tflite(_of(centred(additive)))
    return {
        "what": "one of them, float32",
        **_measured(written, rows[:, :-1].astype(np.float32), _expected(model, rows)),
    }


def _measured(written: Written, X: NDArray[np.float32], expected: Floats) -> Row:
    found = _runner(written.content, X, OpResolverType.AUTO)
    found()
    error = np.abs(found.answer() / expected - 1.0)
    row: Row = {
        "bytes": len(written.content),
        "error": error.max(),
        "rms_error": float(np.sqrt(np.mean(error**2))),
    }
    for name, kind in (
        ("xnnpack", OpResolverType.AUTO),
        ("plain", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
    ):
        row[f"row_us_{name}"] = _seconds(_runner(written.content, X[:1], kind), 2_000) * 1e6
        batch = _runner(written.content, X[:BATCH], kind)
        row[f"batched_us_{name}"] = _seconds(batch, 50) * 1e6 / BATCH
    return row


class _runner:  # noqa: N801
    """A file with rows in it, to be run by calling."""

    def __init__(self, content: bytes, X: NDArray[np.float32], kind: OpResolverType) -> None:
        self.interpreter = Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=kind
        )
        place = self.interpreter.get_input_details()[0]["index"]
        self.interpreter.resize_tensor_input(place, X.shape)
        self.interpreter.allocate_tensors()
        self.interpreter.set_tensor(place, X)

    def __call__(self) -> None:
        self.interpreter.invoke()

    def answer(self) -> Floats:
        place = self.interpreter.get_output_details()[0]["index"]
        found: Floats = self.interpreter.get_tensor(place)[:, 0].astype(np.float64)
        return found


def _seconds(act: Callable[[], Any], times: int) -> float:
    """Return CPU seconds of one of so many acts, the fastest of five rounds."""
    act()
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            act()
        rounds.append((time.process_time() - began) / times)
    return min(rounds)


def _pygam(X: Floats, y: Floats) -> Row:
    rows = X[:, -1] == 24
    fitted = LinearGAM(_terms(X)).fit(X[rows, :-1], y[rows])
    one, batch = X[rows][:1, :-1], X[rows][:BATCH, :-1]
    return {
        "what": "pyGAM, one of them",
        "row_us_plain": _seconds(lambda: fitted.predict(one), 50) * 1e6,
        "batched_us_plain": _seconds(lambda: fitted.predict(batch), 10) * 1e6 / len(batch),
    }


def _update(model: PanelGam, precision: Precision, share: float) -> Row:
    """Move a share of the centred coefficients by about one percent, and compare the files."""
    random = np.random.default_rng(1)
    old = _additive(model)
    new = replace(old, terms=tuple(_moved(term, share, random) for term in old.terms))
    before = write_tflite(_of(old), precision)
    after = write_tflite(_of(new), precision, before.scales)
    return {
        "what": f"update, {precision}, {share:.0%} of coefficients by about 1 %",
        "bytes": len(after.content),
        "delta": len(make_delta(before.content, after.content)),
    }


def _moved(term: g.Term, share: float, random: np.random.Generator) -> g.Term:
    change = random.normal(0.0, 0.01, term.coef.shape) * (random.random(term.coef.shape) < share)
    return replace(term, coef=term.coef * (1.0 + change))
