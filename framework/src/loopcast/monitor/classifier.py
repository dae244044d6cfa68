"""Can recent rows be told from the training's? A classifier finds what no single input shows.

Where it can, the inputs that give recent rows away are named. It needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from loopcast.api import DataError, StoreError
from loopcast.monitor.reference import Reference, rows_of

FOLDS = 5
FEWEST = 100
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well a classifier tells recent rows from the reference's.

    Attributes
    ----------
    auc
        On rows that the classifier was not fitted to: 0.5 where nothing has changed.
    p_value
        Of the hypothesis that nothing has.
    gives_away
        Inputs by how much the AUC falls when their values are shuffled, the largest first.
    rows
        How many rows of each kind.
    """

    auc: float
    p_value: float
    gives_away: tuple[tuple[str, float], ...]
    rows: int


def separation(
    reference: Reference, recent: Mapping[str, Any], *, design: float = 1.0, seed: int = 0
) -> Separation:
    """Fit a classifier to a sample of both, and judge it on the parts that it has not seen.

    Parameters
    ----------
    recent
        Values of each input, shape (n,).
    design
        So many rows are worth an independent one, since rows of a day resemble each other.

    Raises
    ------
    DataError
        When there are too few rows, or an input is missing.
    StoreError
        When scikit-learn is not installed.

    Notes
    -----
    Source: D. Lopez-Paz and M. Oquab (2017), Revisiting classifier two-sample tests, ICLR; the
    variance of an AUC of no separation is that of Mann and Whitney's U.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
    except ImportError:
        raise StoreError(
            "a domain classifier needs scikit-learn; install it with: pip install 'loopcast[drift]'"
        ) from None
    names, rows, label = _both(reference, recent, seed)
    noise = np.random.default_rng(seed)
    score, falls = np.zeros(len(label)), np.zeros(len(names))
    for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, label):
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed
        ).fit(rows[fit], label[fit])
        score[held] = model.predict_proba(rows[held])[:, 1]
        falls += _falls(model, rows[held], label[held], noise) / FOLDS
    half = len(label) // 2
    value = area(label, score)
    worth = half / design
    spread = np.sqrt((2.0 * worth + 1.0) / (12.0 * worth * worth))
    order = np.argsort(-falls)
    return Separation(
        auc=value,
        p_value=float(norm.sf((value - 0.5) / spread)),
        gives_away=tuple((names[place], float(falls[place])) for place in order),
        rows=half,
    )


def _both(
    reference: Reference, recent: Mapping[str, Any], seed: int
) -> tuple[list[str], NDArray[np.float64], NDArray[np.int64]]:
    """Return as many rows of each, with 1 for recent ones."""
    names = list(reference.sample)
    absent = [name for name in names if name not in recent]
    if absent:
        raise DataError(f"input {absent[0]!r} of the reference is not in the data")
    found = rows_of(recent, reference.bins, names)
    now = np.column_stack([found[name] for name in names]).astype(np.float32)
    then = np.column_stack([reference.sample[name] for name in names])
    count = min(len(now), len(then))
    if count < FEWEST:
        raise DataError(f"a domain classifier needs {FEWEST} rows of each kind; there are {count}")
    noise = np.random.default_rng(seed)
    parts = [rows[noise.permutation(len(rows))[:count]] for rows in (then, now)]
    return names, np.concatenate(parts).astype(np.float64), np.repeat([0, 1], count)


def _falls(
    model: Any, rows: NDArray[np.float64], label: NDArray[np.int64], noise: np.random.Generator
) -> NDArray[np.float64]:
    """Return how much the AUC falls when one input is shuffled, by input."""
    whole = area(label, model.predict_proba(rows)[:, 1])
    falls = np.zeros(rows.shape[1])
    for place in range(rows.shape[1]):
        for _ in range(REPEATS):
            shuffled = rows.copy()
            shuffled[:, place] = noise.permutation(shuffled[:, place])
            falls[place] += whole - area(label, model.predict_proba(shuffled)[:, 1])
    return falls / REPEATS


def area(label: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """Return the AUC: the share of pairs that are in the right order, ties counted half."""
    ranks = rankdata(score)
    positive = label == 1
    count = int(positive.sum())
    above = ranks[positive].sum() - count * (count + 1) / 2.0
    return float(above / (count * (len(label) - count)))
