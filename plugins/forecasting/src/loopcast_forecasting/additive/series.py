"""The additive part of the series of a site, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.features.clock import Floats

SAVED = ("log", "level", "coef")


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditiveSeries:
    """What the additive models of a site's series have of their own.

    Attributes
    ----------
    names
        Of the series, length N.
    log : ndarray of bool, shape (N,)
        Whether the response is the logarithm.
    level : ndarray, shape (N,)
        Typical value of each series, at which effects on a logarithm are shown.
    coef : ndarray, shape (p, N)
    """

    names: tuple[str, ...]
    log: NDArray[np.bool_]
    level: Floats
    coef: Floats

    def respond(self, actuals: Floats) -> Floats:
        """Return the response of actuals; one without a logarithm counts as missing."""
        possible = np.where(self.log & ~(actuals > 0), np.nan, actuals)
        return np.where(self.log, np.log(np.where(self.log, possible, 1.0)), possible)

    def invert(self, response: Floats) -> Floats:
        """Return what has this response."""
        return np.where(self.log, np.exp(np.where(self.log, response, 0.0)), response)

    def only(self, kept: Sequence[int]) -> AdditiveSeries:
        """Return some of the series, by their places."""
        return AdditiveSeries(
            names=tuple(self.names[k] for k in kept),
            log=self.log[kept],
            level=self.level[kept],
            coef=self.coef[:, kept],
        )

    def arrays(self, site: int) -> dict[str, NDArray[Any]]:
        """Return all but the names, for the arrays of a saved model."""
        return {f"site_{site}_{name}": getattr(self, name) for name in SAVED}

    @classmethod
    def from_arrays(
        cls, names: Sequence[str], site: int, arrays: Mapping[str, NDArray[Any]]
    ) -> AdditiveSeries:
        """Rebuild the series of a site from their names and the arrays of a saved model."""
        return cls(names=tuple(names), **{name: arrays[f"site_{site}_{name}"] for name in SAVED})
