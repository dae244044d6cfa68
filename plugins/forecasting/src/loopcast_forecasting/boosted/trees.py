"""Boosted regression trees, one set for each series.

Source: G. Ke et al., LightGBM: A highly efficient gradient boosting decision tree, NIPS 2017. One
thread and fixed draws, so that the same data give the same trees. They are saved as LightGBM's
own text, which holds numbers and cannot run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ModelError
from loopcast_forecasting.boosted.slots import Slots
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.features.site import DAYS

if TYPE_CHECKING:
    from lightgbm import Booster

REPEATED = (*DAYS, "daylight_saving", "christmas", "weekend")  # told by other inputs as well
OPTIONS: Mapping[str, Any] = {
    "objective": "l2",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
    "lambda_l2": 1.0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbose": -1,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesTrees:
    """Fitted trees.

    Attributes
    ----------
    inputs
        Names of what they look at.
    boosters
        One for each series.
    """

    inputs: tuple[str, ...]
    boosters: tuple[Booster, ...]

    def predict(self, inputs: Mapping[str, Floats]) -> Floats:
        """Return what the trees say, shape (n, N)."""
        X = np.column_stack([inputs[name] for name in self.inputs])
        return np.column_stack([_predict(booster, X) for booster in self.boosters])

    def to_text(self) -> list[str]:
        """Return LightGBM's own text for each series."""
        return [booster.model_to_string() for booster in self.boosters]

    @classmethod
    def from_text(cls, inputs: tuple[str, ...], texts: list[str]) -> SeriesTrees:
        """Rebuild trees from `to_text`."""
        lightgbm = require_lightgbm()
        boosters = tuple(lightgbm.Booster(model_str=text) for text in texts)
        return cls(inputs=inputs, boosters=boosters)


def require_lightgbm() -> Any:
    """Return the library.

    Raises
    ------
    ModelError
        Where it is not installed.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise ModelError(
            f"forecasting.gam_boosted needs LightGBM, which cannot be imported ({error}); "
            "install loopcast-forecasting[boosting]"
        ) from None
    return lightgbm


def fit_trees(
    inputs: Mapping[str, Floats], Y: Floats, fold: Slots, rounds: int
) -> tuple[SeriesTrees, Floats]:
    """Fit each series, and predict each row without its fold.

    Parameters
    ----------
    inputs : mapping of str to ndarray, shape (n,)
    Y : ndarray, shape (n, N)
        NaN where a value is missing.
    fold : ndarray, shape (n,)
    rounds : int
        Trees of a series.

    Returns
    -------
    SeriesTrees
    ndarray, shape (n, N)
    """
    names = tuple(name for name in inputs if name not in REPEATED)
    X = np.column_stack([inputs[name] for name in names])
    left_out = np.empty(Y.shape)
    for k in np.unique(fold):
        rows = fold == k
        for j in range(Y.shape[1]):
            left_out[rows, j] = _predict(_fit(X[~rows], Y[~rows, j], rounds), X[rows])
    boosters = tuple(_fit(X, Y[:, j], rounds) for j in range(Y.shape[1]))
    return SeriesTrees(inputs=names, boosters=boosters), left_out


def _fit(X: Floats, y: Floats, rounds: int) -> Booster:
    lightgbm = require_lightgbm()
    present = ~np.isnan(y)
    rows = lightgbm.Dataset(X[present], y[present], free_raw_data=False)
    booster: Booster = lightgbm.train(dict(OPTIONS), rows, num_boost_round=rounds)
    return booster


def _predict(booster: Booster, X: Floats) -> Floats:
    return np.asarray(booster.predict(X, num_threads=1), dtype=np.float64)
