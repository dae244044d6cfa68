"""The decision that a score leads to: one side of a cut-off is favourable to the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loopcast.api import LogicalModel

Side = Literal["low", "high"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which scores are decided in favour of a person.

    Attributes
    ----------
    cutoff
        Probability of the event that divides them.
    favourable
        ``low``: those below the cutoff; ``high``: those from it on.

    Examples
    --------
    >>> import numpy as np
    >>> Decision(cutoff=0.3).granted(np.array([0.1, 0.3, 0.8])).tolist()
    [True, False, False]
    """

    cutoff: float = 0.5
    favourable: Side = "low"

    def granted(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which scores are favourable, shape (rows,)."""
        low = probability < self.cutoff
        return low if self.favourable == "low" else ~low


def decision_for(model: LogicalModel, cutoff: float | None = None) -> Decision:
    """Return the decision at a cut-off; at that of the logical model, or else one half."""
    settings = model.decision
    chosen = settings.threshold if cutoff is None else cutoff
    return Decision(cutoff=0.5 if chosen is None else chosen, favourable=settings.favourable)
