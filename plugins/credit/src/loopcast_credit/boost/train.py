"""Train trees with LightGBM: one thread, a fixed seed, the same trees for the same data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConfigurationError
from loopcast_credit.boost.encode import Input
from loopcast_credit.boost.hyperparameters import BoostParameters
from loopcast_credit.boost.trees import library

if TYPE_CHECKING:
    from lightgbm import Booster
    from numpy.typing import NDArray

SIGN = {"increasing": 1, "decreasing": -1}


def train(
    matrix: NDArray[np.float64],
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    inputs: Sequence[Input],
    p: BoostParameters,
    *,
    leaves: int,
    seed: int,
) -> Booster:
    """Train trees whose answers add up to the log-odds of the event.

    Source: G. Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS
    (2017).

    Parameters
    ----------
    matrix : ndarray, shape (rows, features)
    event, weight : ndarray, shape (rows,)

    Raises
    ------
    ConfigurationError
        For a direction of risk of what is no number, or where LightGBM is not installed.
    """
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": p.learning_rate,
        "min_data_in_leaf": p.minimum_rows,
        "lambda_l2": p.ridge,
        "bagging_fraction": p.row_share,
        "bagging_freq": 1,
        "feature_fraction": p.feature_share,
        "monotone_constraints": _directions(inputs, p),
        "seed": seed % 2**31,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    lightgbm = library()
    data = lightgbm.Dataset(matrix, event, weight=weight, params={"verbosity": -1})
    booster: Booster = lightgbm.train(settings, data, p.rounds)
    return booster


def _directions(inputs: Sequence[Input], p: BoostParameters) -> list[int]:
    numbers = [one.name for one in inputs if one.categories is None]
    for name in p.monotone:
        if name not in numbers:
            raise ConfigurationError(
                f"monotone: {name!r} is no number among the features; there are "
                f"{', '.join(numbers) or 'none'}"
            )
    return [SIGN[p.monotone[one.name]] if one.name in p.monotone else 0 for one in inputs]
