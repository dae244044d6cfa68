"""A night as a script of arrays, by itself: what the mathematics cost without what surrounds them.

    python bare_night.py FILE TENANTS

Of each tenant of the file it holds the last tenth out, chooses one of three ridges on the last
five choices of each customer, judges EASE with it beside an incumbent, learns from everything, and
writes the twenty best of each customer. It checks nothing, remembers no order of choices, keeps no
version and releases nothing. Prints one JSON line: CPU ms a tenant, by step.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import linalg, sparse

BATCH, LENGTH, INNER = 64, 20, 5
RIDGES = (30.0, 100.0, 300.0)
NAMES = ("customer", "product")
DISCOUNT = 1.0 / np.log2(np.arange(2, LENGTH + 2))

Matrix = NDArray[np.float32]
Codes = NDArray[np.integer[Any]]
spent: dict[str, float] = defaultdict(float)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Add the CPU time of what is done within to a step."""
    started = time.process_time()
    yield
    spent[name] += time.process_time() - started


def main(path: Path, count: int) -> None:
    """Go through the night of the first tenants of a file."""
    file = pq.ParquetFile(path, read_dictionary=list(NAMES))
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, count, BATCH):
            groups = range(first, min(first + BATCH, count))
            lists = [night(*tenant) for tenant in batch(file, groups)]
            with step("write"):
                places = pa.array(np.concatenate(lists).ravel())
                table = pa.table({"items": pa.FixedSizeListArray.from_arrays(places, LENGTH)})
                pq.write_table(table, f"{folder}/{first}.parquet")
    steps = {name: 1000.0 * seconds / count for name, seconds in spent.items()}
    print(json.dumps({"cpu_ms_a_tenant": sum(steps.values()), **steps}))


def batch(file: pq.ParquetFile, groups: range) -> Iterator[tuple[Codes, Codes, Codes]]:
    """Yield customers, products and times of each tenant, a row group each, in codes."""
    with step("read"):
        tables = [file.read_row_group(group, use_threads=False) for group in groups]
    for table in tables:
        with step("code"):
            customer, product = (codes(table[name].combine_chunks()) for name in NAMES)
            at = table["at"].combine_chunks().cast(pa.int64()).to_numpy()
        yield customer, product, at


def codes(texts: pa.Array) -> Codes:
    """Return the codes of texts in alphabetical order."""
    order = pc.sort_indices(texts.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return np.asarray(place[texts.indices.to_numpy()])


def night(customer: Codes, product: Codes, at: Codes) -> NDArray[np.int64]:
    """Return the twenty best of each customer, by a model that was judged."""
    shape = int(customer.max()) + 1, int(product.max()) + 1
    with step("split"):
        past = at < at[int(0.9 * len(at))]
        known = matrix(customer[past], product[past], shape)
        came = matrix(customer[~past], product[~past], shape)
    ridge = tuned(customer[past], product[past], shape)
    with step("judged fit"):
        own = weights(known.T @ known, ridge)
    with step("incumbent"):
        incumbent = weights(known.T @ known, RIDGES[1])
    with step("judge"):
        quality = [ndcg(best(known, model), came) for model in (own, incumbent)]
    with step("final fit"):
        everything = matrix(customer, product, shape)
        final = weights(everything.T @ everything, ridge if quality[0] > quality[1] else RIDGES[1])
    with step("lists"):
        return best(everything, final)


def tuned(customer: Codes, product: Codes, shape: tuple[int, int]) -> float:
    """Choose the ridge on the last choices of each customer."""
    with step("hold out"):
        order = np.argsort(customer, kind="stable")
        sizes = np.bincount(customer, minlength=shape[0])
        from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(order))
        held = np.zeros(len(order), dtype=bool)
        held[order] = from_end <= np.minimum(np.repeat(sizes, sizes) // 3, INNER)
        known = matrix(customer[~held], product[~held], shape)
        asked = matrix(customer[held], product[held], shape)
        gram = known.T @ known
    with step("tune"):
        return max(RIDGES, key=lambda ridge: ndcg(best(known, weights(gram, ridge)), asked))


def matrix(row: Codes, column: Codes, shape: tuple[int, int]) -> Matrix:
    """Return 1 at each pair."""
    found = np.zeros(shape, dtype=np.float32)
    found[row, column] = 1.0
    return found


def weights(gram: Matrix, ridge: float) -> Matrix:
    """Return the weights of EASE."""
    shifted = gram.astype(np.float64)
    np.fill_diagonal(shifted, np.diag(shifted) + ridge)
    factor, _ = linalg.lapack.dpotrf(shifted.T, lower=1, overwrite_a=1)
    lower, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    inverse = lower + np.tril(lower, -1).T
    found: Matrix = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(found, 0.0)
    return found


def best(known: Matrix, model: Matrix) -> NDArray[np.int64]:
    """Return the best items of each customer that are not known."""
    scores = np.asarray(sparse.csr_array(known) @ model)
    scores[known > 0] = -np.inf
    top = np.argpartition(scores, -LENGTH, axis=1)[:, -LENGTH:]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
    return np.take_along_axis(top, order, axis=1)


def ndcg(lists: NDArray[np.int64], came: Matrix) -> float:
    """Return the mean nDCG over the customers who chose something."""
    chosen = came.sum(axis=1).astype(np.int64)
    asked = chosen > 0
    possible = np.cumsum(DISCOUNT)[np.minimum(chosen[asked], LENGTH) - 1]
    gains = np.take_along_axis(came, lists, axis=1)[asked] @ DISCOUNT
    return float(np.mean(gains / possible))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
