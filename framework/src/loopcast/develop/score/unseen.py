"""Probabilities of rows by models that had not seen them: what may be learned from, honestly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import LoopcastError, ScoreData
from loopcast.develop.score.prepare import rows_of
from loopcast.develop.score.trial import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fit = Callable[[Mapping[str, ScoreData]], Mapping[str, Any]]
"""Takes data by segment and returns a model or an error for each."""


def out_of_fold(
    family: Mapping[str, ScoreData], fit: Fit, folds: int, seed: int, template: str
) -> dict[str, NDArray[np.float64] | LoopcastError]:
    """Score each row with a known outcome by a model that was fitted without its fold.

    Rows of unknown outcome are left to every fit. Each outcome is spread evenly over the folds.

    Parameters
    ----------
    template
        Named in messages.

    Returns
    -------
    mapping of str to ndarray, shape (rows,)
        NaN where the outcome is unknown; the first error of a segment in place of it.
    """
    fold = {segment: _folds(data.target, folds, seed) for segment, data in family.items()}
    found: dict[str, NDArray[np.float64] | LoopcastError] = {
        segment: np.full(len(data.target), np.nan) for segment, data in family.items()
    }
    for number in range(folds):
        parts = {s: rows_of(data, fold[s] != number) for s, data in family.items()}
        for segment, model in fit(parts).items():
            unseen, rows = found[segment], fold[segment] == number
            if isinstance(unseen, LoopcastError) or not rows.any():
                continue
            if isinstance(model, LoopcastError):
                found[segment] = model
                continue
            try:
                features = family[segment].features.loc[rows]
                unseen[rows] = probabilities(model, features, template)
            except LoopcastError as error:
                found[segment] = error
    return found


def _folds(target: NDArray[np.float64], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, −1 where the outcome is unknown."""
    random = np.random.default_rng(seed)
    fold = np.full(len(target), -1)
    for outcome in (0.0, 1.0):
        rows = random.permutation(np.flatnonzero(target == outcome))
        fold[rows] = np.arange(len(rows)) % folds
    return fold
