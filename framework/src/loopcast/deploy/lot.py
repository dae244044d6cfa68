"""The lot by which some cases that a cut-off refuses are granted all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.deploy.assignment import places

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def drawn(keys: pd.Index[str], salt: str, share: float) -> NDArray[np.bool_]:
    """Return which keys are drawn, shape (keys,): the same ones wherever it is asked.

    Parameters
    ----------
    salt
        What the lot depends on beside the key: see :func:`salt_of`.
    share
        How many of all keys are drawn.
    """
    if not share:
        return np.zeros(len(keys), dtype=bool)
    return np.asarray(places(keys.astype(str), salt) < share)


def salt_of(logical_model: str, lot: str) -> str:
    """Return what the lot of a logical model depends on beside the key."""
    return f"{logical_model}/{lot}"
