"""Shapley values of any scorer, by the package ``shap``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import ConfigurationError, Contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Scorer

BACKGROUND = 100
"""Rows that a row is compared with."""

ROUNDS = 5
"""Orders of the features that are drawn, each of which is also gone through backwards."""

_FARTHEST = 1e-9  # log-odds of a certain probability would be infinite


def shapley(
    model: Scorer, rows: pd.DataFrame, background: pd.DataFrame, seed: int
) -> Contributions:
    """Return sampled interventional Shapley values of the log-odds.

    They add up to the log-odds of each row exactly; how they are shared out among features that
    work together is exact for pairs, and an estimate beyond.

    Source: S. M. Lundberg and S.-I. Lee (2017), A unified approach to interpreting model
    predictions, NeurIPS; R. Mitchell, J. Cooper, E. Frank and G. Holmes (2022), Sampling
    permutations for Shapley value estimation, JMLR 23, for orders in pairs.

    Raises
    ------
    ConfigurationError
        Where the package is not installed.
    """
    shap = _library()
    codes = _Codes(rows, background)
    place = np.linspace(0, len(background) - 1, min(len(background), BACKGROUND))
    against = codes.matrix(background.iloc[np.unique(place.round().astype(np.intp))])

    def log_odds(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        probability = np.asarray(model.predict(codes.frame(matrix)).probability, np.float64)
        safe = np.clip(probability, _FARTHEST, 1.0 - _FARTHEST)
        return np.asarray(np.log(safe / (1.0 - safe)))

    masker = shap.maskers.Independent(against, max_samples=len(against))
    explainer = shap.PermutationExplainer(log_odds, masker, seed=seed)
    found = explainer(codes.matrix(rows), max_evals=ROUNDS * (2 * rows.shape[1] + 1), silent=True)
    return Contributions(
        parts=tuple(map(str, rows.columns)),
        base=float(log_odds(against).mean()),
        added=np.asarray(found.values, np.float64),
        method="Shapley values, sampled",
    )


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            # Its colours, which are not ours, are made in a way that matplotlib will give up.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap
    except ModuleNotFoundError:
        raise ConfigurationError(
            "this template does not say what each feature adds, and Shapley values need the "
            "package shap, which is not installed: pip install 'loopcast[explain]'"
        ) from None
    return shap


class _Codes:
    """Rows as a matrix of numbers, and back: a category is its place among all that occur."""

    def __init__(self, rows: pd.DataFrame, background: pd.DataFrame) -> None:
        both = pd.concat([background, rows])
        self._columns = {
            str(name): pd.Index(column.dropna().astype(str).unique())
            if isinstance(rows[name].dtype, pd.CategoricalDtype)
            else None
            for name, column in both.items()
        }

    def matrix(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return numbers, shape (rows, features), NaN where missing."""
        columns = []
        for name, categories in self._columns.items():
            values = rows[name]
            if categories is None:
                columns.append(values.to_numpy(np.float64))
            else:
                codes = pd.Categorical(values.astype(object), categories=categories).codes
                columns.append(np.where(codes < 0, np.nan, codes))
        return np.column_stack(columns)

    def frame(self, matrix: NDArray[np.float64]) -> pd.DataFrame:
        """Return the rows of a matrix."""
        columns: dict[str, Any] = {}
        for (name, categories), values in zip(self._columns.items(), matrix.T, strict=True):
            if categories is None:
                columns[name] = values
            else:
                codes = np.where(np.isnan(values), -1, values).astype(np.intp)
                columns[name] = pd.Categorical.from_codes(codes, categories=categories)
        return pd.DataFrame(columns)
