"""Why one series of a panel has no fit, while the others have theirs."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Failure(NamedTuple):
    """Why a series has no fit.

    Attributes
    ----------
    kind : {"data", "convergence"}
    reason : str
    """

    kind: Literal["data", "convergence"]
    reason: str
