"""Peers of the recommender, whose pins are not ours, for bench_recommender to run apart.

    python recommender_peers.py rank|ratings FOLDER

Reads `data.npz` in the folder, and prints one JSON line: for `rank`, lists of ten items and CPU
seconds by peer, each tuned on the inner split that the file holds; for `ratings`, RMSE and CPU
seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

LENGTH = 10
Fit = Callable[[Any], Callable[[Any], Any]]
"""Takes a matrix of choices, and returns what scores all items for some of its rows."""


def als(factors: int, penalty: float, confidence: float) -> Fit:
    def fit(choices: Any) -> Callable[[Any], Any]:
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=factors, regularization=penalty, alpha=confidence, num_threads=1,
            random_state=0, iterations=15,
        )  # fmt: skip
        model.fit(choices, show_progress=False)
        return lambda rows: model.user_factors[rows] @ model.item_factors.T

    return fit


def bpr(factors: int, penalty: float) -> Fit:
    def fit(choices: Any) -> Callable[[Any], Any]:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=factors, regularization=penalty, num_threads=1, random_state=0, iterations=200,
            learning_rate=0.03,
        )  # fmt: skip
        model.fit(choices, show_progress=False)
        return lambda rows: model.user_factors[rows] @ model.item_factors.T

    return fit


def bm25(neighbours: int) -> Fit:
    def fit(choices: Any) -> Callable[[Any], Any]:
        from implicit.nearest_neighbours import BM25Recommender

        model = BM25Recommender(K=neighbours, num_threads=1)
        model.fit(choices, show_progress=False)
        return lambda rows: (choices[rows] @ model.similarity).toarray()

    return fit


def cornac_ease(ridge: float) -> Fit:
    def fit(choices: Any) -> Callable[[Any], Any]:
        import cornac

        pairs = choices.tocoo()
        users, items = choices.shape
        entries = zip(pairs.row.tolist(), pairs.col.tolist(), [1.0] * pairs.nnz, strict=True)
        data = cornac.data.Dataset.build(
            entries,
            global_uid_map={u: u for u in range(users)},
            global_iid_map={i: i for i in range(items)},
        )
        model = cornac.models.EASE(lamb=ridge, posB=False, verbose=False)
        model.fit(data)
        return lambda rows: np.asarray(choices[rows] @ model.B)

    return fit


def warp(factors: int, penalty: float) -> Fit:
    def fit(choices: Any) -> Callable[[Any], Any]:
        from lightfm import LightFM

        model = LightFM(
            no_components=factors, loss="warp", item_alpha=penalty, user_alpha=penalty,
            learning_rate=0.05, random_state=0,
        )  # fmt: skip
        model.fit(choices, epochs=30, num_threads=1)

        def score(rows: Any) -> Any:
            item_bias, items = model.get_item_representations()
            return model.get_user_representations()[1][rows] @ items.T + item_bias

        return score

    return fit


PEERS: dict[str, list[Fit]] = {
    "implicit ALS": [als(f, p, c) for f in (16, 32, 64) for p in (3.0, 30.0) for c in (2.0, 10.0)],
    "implicit BPR": [bpr(f, p) for f in (32, 64) for p in (0.01, 0.05)],
    "LightFM WARP": [warp(f, p) for f in (32, 64) for p in (0.0, 1e-5)],
    "implicit BM25": [bm25(k) for k in (20, 100, 400)],
    "cornac EASE": [cornac_ease(r) for r in (30.0, 100.0, 300.0, 1000.0)],
}


def top(scores: Any, known: Any) -> Any:
    scores = np.array(scores, dtype=np.float64)
    scores[known.nonzero()] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]


def ndcg(lists: Any, chosen: Any) -> float:
    hits = np.take_along_axis(chosen.toarray() > 0, lists, axis=1)
    discount = 1.0 / np.log2(np.arange(2, LENGTH + 2))
    best = np.cumsum(discount)[np.minimum(np.diff(chosen.indptr), LENGTH) - 1]
    return float(np.mean(hits @ discount / best))


def rank(data: Any) -> dict[str, Any]:
    """Tune each peer on the inner split, and let it rank with what it was trained on."""
    shape = tuple(data["shape"].tolist())

    def matrix(prefix: str) -> Any:
        pairs = (data[f"{prefix}entity"], data[f"{prefix}item"])
        return sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape=shape)

    whole, inner, chosen = matrix(""), matrix("inner_"), matrix("inner_chosen_")
    asked = np.flatnonzero(np.diff(chosen.indptr))
    found = {}
    for name, options in PEERS.items():
        started = time.process_time()
        quality = [ndcg(top(f(inner)(asked), inner[asked]), chosen[asked]) for f in options]
        tuned = time.process_time() - started
        best = int(np.argmax(quality))
        started = time.process_time()
        score = options[best](whole)
        fitted = time.process_time() - started
        rows = data["asked"]
        known = np.maximum(rows, 0)
        lists = top(score(known), whole[known])
        about = {"fit_cpu_s": fitted, "tuned_cpu_s": tuned + fitted, "chosen": str(best)}
        lists[rows < 0] = -1
        found[name] = {"items": lists.tolist(), "about": about}
    return found


def surprise_peers() -> Iterator[tuple[str, Callable[[Any, Any, Any], Callable[[Any, Any], Any]]]]:
    import surprise

    def of(make: Callable[[], Any]) -> Callable[[Any, Any, Any], Callable[[Any, Any], Any]]:
        def fit(entity: Any, item: Any, value: Any) -> Callable[[Any, Any], Any]:
            import pandas as pd

            frame = pd.DataFrame({"entity": entity, "item": item, "value": value})
            reader = surprise.Reader(rating_scale=(value.min(), value.max()))
            built = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()
            with contextlib.redirect_stdout(io.StringIO()):
                model = make().fit(built)
            return lambda e, i: np.array(
                [model.predict(u, v).est for u, v in zip(e, i, strict=True)]
            )

        return fit

    yield "Surprise biases", of(surprise.BaselineOnly)
    yield "Surprise SVD", of(lambda: surprise.SVD(random_state=0))
    yield "Surprise SVD++", of(lambda: surprise.SVDpp(random_state=0, cache_ratings=True))


def myfm_peer(draws: int) -> Callable[[Any, Any, Any], Callable[[Any, Any], Any]]:
    def fit(entity: Any, item: Any, value: Any) -> Callable[[Any, Any], Any]:
        import myfm

        sizes = [int(entity.max()) + 1, int(item.max()) + 1]

        def rows(e: Any, i: Any) -> Any:
            count = np.arange(len(e))
            ones = np.ones(len(e))
            sides = [
                sparse.csr_matrix((ones, (count, np.minimum(code, size - 1))), (len(e), size))
                for code, size in zip((e, i), sizes, strict=True)
            ]
            return sparse.hstack(sides).tocsr()

        model = myfm.MyFMRegressor(rank=8, random_seed=0)
        with contextlib.redirect_stderr(io.StringIO()):
            model.fit(rows(entity, item), value, n_iter=draws, group_shapes=sizes)
        return lambda e, i: model.predict(rows(e, i))

    return fit


def ratings(data: Any) -> dict[str, Any]:
    """Return RMSE and CPU seconds of a fit, means over the folds."""
    entity, item, value = data["entity"], data["item"], data["value"].astype(np.float64)
    fold = data["fold"]
    peers = dict(surprise_peers())
    peers |= {f"myFM, {draws} draws": myfm_peer(draws) for draws in (100, 300)}
    found: dict[str, Any] = {}
    for name, fit in peers.items():
        errors, seconds = [], []
        for one in range(int(data["folds"][0])):
            held = fold == one
            started = time.process_time()
            predict = fit(entity[~held], item[~held], value[~held])
            seconds.append(time.process_time() - started)
            difference = predict(entity[held], item[held]) - value[held]
            errors.append(np.sqrt(np.mean(difference**2)))
        found[name] = {"rmse": float(np.mean(errors)), "fit_cpu_s": float(np.mean(seconds))}
    return found


def main(what: str, folder: Path) -> None:
    """Judge every peer."""
    warnings.simplefilter("ignore")
    with np.load(folder / "data.npz") as data:
        print(json.dumps({"rank": rank, "ratings": ratings}[what](data)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
