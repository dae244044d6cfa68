"""What a method brings that scores items by histories; all else is shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from loopcast.api import Files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api.graph import Block

OptionT = TypeVar("OptionT", bound=msgspec.Struct)


class Scorer(Protocol):
    """What turns histories into scores."""

    def score(self, history: sparse.csr_array) -> NDArray[np.float32]:
        """Return the score of each item, shape (rows, items), in an array of its own."""
        ...

    def block(self, chosen: Block) -> Block:
        """Return the same of choices, 1 in a column for each item, as a block of a graph."""
        ...

    def save(self) -> Files:
        """Return what does not follow from choices and option."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method(Generic[OptionT]):
    """A method of learning from choices.

    Attributes
    ----------
    option
        Type of what is tuned.
    learn
        Take choices (1 where an entity chose an item), and return what learns from them with an
        option; what all options share is computed once.
    load
        The same from files that were saved.
    ordered
        Whether options are put in an order, from one end to the other of a single scale: then the
        best is looked for uphill, from the middle one or that of the champion.
    """

    option: type[OptionT]
    learn: Callable[[sparse.csr_array], Callable[[OptionT], Scorer]]
    load: Callable[[Files, sparse.csr_array, OptionT], Scorer]
    ordered: bool = False
