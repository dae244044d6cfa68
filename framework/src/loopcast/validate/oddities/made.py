"""An odd input, with what has to hold of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Forecast, ForecastQuery, Ranking, RankQuery, Scores


@dataclass(frozen=True, eq=False, kw_only=True)
class Oddity:
    """An odd input.

    Attributes
    ----------
    kind
        ``missing``, ``extreme``, ``unseen``, ``constant``, ``shuffled`` or ``single``.
    name
        The kind, and which input: ``missing temperature``.
    expected
        The answer, where it has to be that of the scenario in another order.
    ordinary
        Whether the answer has to lie where those to ordinary inputs do.
    """

    kind: str
    name: str
    inputs: ForecastQuery | pd.DataFrame | RankQuery
    expected: Forecast | Scores | Ranking | None = None
    ordinary: bool = True
