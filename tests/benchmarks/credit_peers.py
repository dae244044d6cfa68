"""Peers of the credit templates whose pins are not ours, for bench_credit to run apart.

Reads a folder with `data.parquet` (features and the column `event`) and `folds.npy` (the fold of
each row), and prints one JSON line: mean AUC and CPU seconds of a fit, by peer.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

# Which way risk goes, as an expert says: a rising share of bad with a rising number, or a falling.
RISING = ("Time", "Expenses", "Debt", "Amount", *(f"pay_status_{i}" for i in range(1, 7)))
FALLING = ("Seniority", "Income", "Assets", "limit_bal", *(f"pay_amt{i}" for i in range(1, 7)))

Fit = Callable[[pd.DataFrame, "np.ndarray[Any, Any]"], Callable[[pd.DataFrame], Any]]


def binned(x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Callable[[pd.DataFrame], Any]:
    """Bin optimally with expert trends and missing as a bin of its own, then regress."""
    from optbinning import BinningProcess

    trends = dict.fromkeys(RISING, "ascending") | dict.fromkeys(FALLING, "descending")
    own = {name: {"monotonic_trend": trends[name]} for name in x if name in trends}
    categories = [name for name in x if x[name].dtype == object]
    process = BinningProcess(
        list(x.columns), categorical_variables=categories, binning_fit_params=own
    )
    woe = {"metric": "woe", "metric_missing": "empirical"}
    model = LogisticRegression(max_iter=1000).fit(process.fit_transform(x, y, **woe), y)
    return lambda rows: model.predict_proba(process.transform(rows, **woe))[:, 1]


def boosted(x: pd.DataFrame, y: np.ndarray[Any, Any]) -> Callable[[pd.DataFrame], Any]:
    """Boost trees of XGBoost, monotone where the expert says so."""
    from xgboost import XGBClassifier

    def typed(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.astype({name: "category" for name in rows if rows[name].dtype == object})

    levels = {name: typed(x)[name].cat.categories for name in x if x[name].dtype == object}

    def same(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{str(n): pd.Categorical(rows[n], c) for n, c in levels.items()})

    signs = {name: 1 for name in RISING if name in x} | {name: -1 for name in FALLING if name in x}
    model = XGBClassifier(
        n_estimators=300, max_depth=3, learning_rate=0.05, subsample=0.6, colsample_bytree=0.5,
        min_child_weight=10, monotone_constraints=signs, enable_categorical=True, n_jobs=1,
        random_state=0,
    )  # fmt: skip
    model.fit(same(x), y)
    return lambda rows: model.predict_proba(same(rows))[:, 1]


def judge(fit: Fit, x: pd.DataFrame, y: np.ndarray[Any, Any], fold: Any) -> dict[str, float]:
    """Return the mean AUC over the folds, and the least CPU seconds of a fit."""
    scores, seconds = [], []
    for one in np.unique(fold):
        train = fold != one
        started = time.process_time()
        predict = fit(x[train], y[train])
        seconds.append(time.process_time() - started)
        scores.append(roc_auc_score(y[~train], predict(x[~train])))
    return {"auc": float(np.mean(scores)), "fit_cpu_s": min(seconds)}


def main(folder: Path) -> None:
    """Judge every peer that is installed."""
    warnings.simplefilter("ignore")
    table = pd.read_parquet(folder / "data.parquet")
    y = table.pop("event").to_numpy()
    texts = [name for name in table if table[name].dtype.kind not in "fiu"]
    for name in texts:
        table[name] = table[name].astype(object).where(table[name].notna(), None)
    fold = np.load(folder / "folds.npy")
    print(json.dumps({f.__name__: judge(f, table, y, fold) for f in (binned, boosted)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
