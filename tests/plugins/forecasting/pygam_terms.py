"""Terms of pyGAM at given smoothing parameters, for references."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pygam.terms import TermList


def with_lam(terms: TermList, lam: NDArray[np.float64]) -> TermList:
    """Return terms with other smoothing parameters, in the order of the panel's penalties."""
    changed = deepcopy(terms)
    values = iter(lam.tolist())
    for term in changed:
        for marginal in term if term.istensor else [term]:
            marginal.lam = [next(values) for _ in marginal.lam]
    return changed
