"""What a device remembers of the residuals, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loopcast.api import graph as g

if TYPE_CHECKING:
    from loopcast_forecasting.additive.step import Recent
    from loopcast_forecasting.features.clock import Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """What is known in a call.

    Attributes
    ----------
    residual
        Of the interval before the first row, one number: zero where it is not known.
    observed
        1 where it is known, one number.
    hour
        Wall clock time of each row, one column.
    """

    residual: g.Block
    observed: g.Block
    hour: g.Block


class Memory(Protocol):
    """A residual step of one series, as a device carries it on.

    Attributes
    ----------
    size
        Columns of its state.
    """

    @property
    def size(self) -> int:
        """Return the number of columns of its state."""
        ...

    def blocks(self, state: g.Block, seen: Seen) -> tuple[g.Block, g.Block]:
        """Return the expected residual of each row, one column, and the next state, one row."""
        ...

    def state(self, recent: Recent) -> Floats:
        """Return the state in which a device is at an origin, before it sees the last residual.

        Returns
        -------
        ndarray, shape (size,)
        """
        ...


def minus(block: g.Block) -> g.Block:
    """Return the negative of a block."""
    return g.Product(g.Constant((-1.0,)), block)


def complement(block: g.Block) -> g.Block:
    """Return one less a block."""
    return g.Sum((g.Constant((1.0,)), minus(block)))
