"""Weights that make training data count like the recent population.

A row counts by how much more often its kind is met now than in the training data: the ratio of
the two densities, which a classifier that tells the two apart gives by Bayes' rule. Source: S.
Bickel, M. Brückner and T. Scheffer (2009), Discriminative learning under covariate shift, Journal
of Machine Learning Research 10, section 3. The ratio is truncated, which trades a little bias for
much variance: E. L. Ionides (2008), Truncated importance sampling, Journal of Computational and
Graphical Statistics 17(2). It is right where inputs have moved and the outcome for given inputs
has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import DataError, StoreError

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5
FEWEST = 100
"""Rows of each kind that a classifier needs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Weights:
    """How much each row of the training data counts.

    Attributes
    ----------
    values : ndarray, shape (rows,)
        Their mean is 1, and none is more than the bound times another one.
    recent
        Rows of the recent population.
    """

    values: NDArray[np.float64]
    recent: int


def effective_size(weight: NDArray[np.float64]) -> float:
    """Return how many equally weighted rows would say as much as these: (Σw)² / Σw².

    Source: L. Kish (1965), Survey Sampling, section 11.7.
    """
    return float(weight.sum() ** 2 / (weight**2).sum())


def recent_weights(
    training: pd.DataFrame, recent: pd.DataFrame, *, bound: float, seed: int
) -> Weights:
    """Weigh training rows by how often their kind is met now.

    Each row is weighed by a classifier that has not seen it.

    Parameters
    ----------
    training : DataFrame, shape (rows, inputs)
        Numbers with NaN for missing, and categories.
    recent : DataFrame, shape (m, inputs)
        The same inputs; a category that training never had counts as missing.
    bound
        The largest ratio of two weights.

    Raises
    ------
    DataError
        When there are too few rows of a kind.
    StoreError
        When scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
    except ImportError:
        raise StoreError(
            "weights of the recent population need scikit-learn; install it with: "
            "pip install 'loopcast[drift]'"
        ) from None
    few = min(len(training), len(recent))
    if few < FEWEST:
        raise DataError(
            f"weights of the recent population need {FEWEST} rows of each kind; there are "
            f"{len(training):,} of training and {len(recent):,} recent ones"
        )
    rows, label = _both(training, recent)
    chance = np.empty(len(label))
    for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, label):
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed
        ).fit(rows[fit], label[fit])
        chance[held] = model.predict_proba(rows[held])[:, 1]
    of_training = np.clip(chance[: len(training)], 1e-6, 1.0 - 1e-6)
    ratio = of_training / (1.0 - of_training) * len(training) / len(recent)
    return Weights(values=bounded(ratio, bound), recent=len(recent))


def bounded(ratio: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Truncate ratios on both sides, and let their mean be 1.

    Examples
    --------
    >>> bounded(np.array([0.01, 1.0, 100.0]), 4.0).round(3).tolist()
    [0.429, 0.857, 1.714]
    """
    kept = np.clip(ratio, bound**-0.5, bound**0.5)
    return np.asarray(kept / kept.mean())


def _both(
    training: pd.DataFrame, recent: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return all rows as numbers, with 1 for the recent ones."""
    import pandas as pd

    columns = []
    for name in training.columns:
        then, now = training[name], recent[name]
        if then.dtype == "category":
            codes = [then.cat.codes.to_numpy(), then.cat.categories.get_indexer(pd.Index(now))]
            values = np.concatenate(codes).astype(np.float64)
            columns.append(np.where(values < 0, np.nan, values))
        else:
            columns.append(np.concatenate([then.to_numpy(np.float64), now.to_numpy(np.float64)]))
    label = np.repeat([0, 1], [len(training), len(recent)])
    return np.column_stack(columns), label
