"""The choice between a smooth calibration and a free one, by rows that neither was learned from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal

import numpy as np

from loopcast.develop.calibration.maps import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.develop.calibration.maps import CalibrationMap

    FloatArray = NDArray[np.float64]

Method = Literal["platt", "isotonic", "beta"]

PARTS = 5
CERTAIN = 2.0
"""Standard errors by which the free curve has to be better."""


def fitted(
    method: Method, clipped: FloatArray, actual: FloatArray, weight: FloatArray
) -> CalibrationMap:
    """Learn a map by a method.

    Parameters
    ----------
    clipped, actual, weight : ndarray, shape (rows,)
        Probabilities inside the edges, outcomes 0 or 1, and what each row counts.
    """
    found: CalibrationMap = import_module(f"loopcast.develop.calibration.{method}").fit(
        clipped, actual, weight
    )
    return found


def choose(
    clipped: FloatArray, actual: FloatArray, weight: FloatArray
) -> tuple[Method, dict[str, float]]:
    """Return ``isotonic`` where the data is certain that ``beta`` does not bend enough.

    Three parameters need fewer outcomes than a free curve, so that they are kept unless the free
    one has a lower log loss, by more than two standard errors of the mean difference, on rows that
    neither map was learned from.

    Source: T. Hastie, R. Tibshirani and J. Friedman (2009), The Elements of Statistical Learning,
    section 7.10, for choosing the simpler of two models whose losses chance cannot tell apart.

    Returns
    -------
    method
    log_loss
        Of each method on rows that its map had not seen.
    """
    part = _parts(clipped, actual)
    losses: dict[Method, FloatArray] = {
        "beta": np.empty(len(clipped)),
        "isotonic": np.empty(len(clipped)),
    }
    for number in range(PARTS):
        learned, judged = part != number, part == number
        for method, loss in losses.items():
            one = fitted(method, clipped[learned], actual[learned], weight[learned])
            said = mapped(one, clipped[judged])
            loss[judged] = -np.log(np.where(actual[judged] == 1.0, said, 1.0 - said))
    share = weight / weight.sum()
    gain = losses["beta"] - losses["isotonic"]
    error = np.sqrt(np.sum((share * (gain - share @ gain)) ** 2))
    chosen: Method = "isotonic" if share @ gain > CERTAIN * error else "beta"
    return chosen, {method: float(share @ loss) for method, loss in losses.items()}


def _parts(clipped: FloatArray, actual: FloatArray) -> NDArray[np.intp]:
    """Return the part of each row: both outcomes and all probabilities are in each alike."""
    order = np.lexsort((clipped, actual))
    part = np.empty(len(order), np.intp)
    part[order] = np.arange(len(order)) % PARTS
    return part
