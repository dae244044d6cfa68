"""A graph on its way into a file: what was written so far, and the operators that blocks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.flat import FlatModel
from loopcast.deploy.export.tflite.storage import Storage

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY = -1
"""A size that is what is left."""


@dataclass(eq=False)
class Lowering:
    """A graph on its way into a file.

    Attributes
    ----------
    model
        The file.
    storage
        How weights are stored.
    features, state
        Places of the inputs.
    write
        Writes a block's operators and returns the place of its output.
    done
        Place of the output of each block so far.
    """

    model: FlatModel
    storage: Storage
    features: int
    state: int | None
    write: Callable[[g.Block, Lowering], int]
    done: dict[g.Block, int] = field(default_factory=dict)

    def of(self, block: g.Block) -> int:
        """Return the place of a block's output, computed once."""
        if block not in self.done:
            self.done[block] = self.write(block, self)
        return self.done[block]

    def numbers(self, values: Any) -> int:
        """Return the place of constant float32 numbers."""
        return self.model.constant(np.asarray(values, np.float32))

    def integers(self, values: Any) -> int:
        """Return the place of constant int32 numbers."""
        return self.model.constant(np.asarray(values, np.int32))

    def columns(self, of: int, places: Any) -> int:
        """Return the place of some columns of a matrix."""
        first, count = int(places[0]), len(places)
        if count > 1 and np.array_equal(places, np.arange(first, first + count)):
            ends = (self.integers([0, first]), self.integers([0, first + count]))
            return self.model.add(
                "STRIDED_SLICE", of, *ends, self.integers([1, 1]), BeginMask=1, EndMask=1
            )
        return self.model.add("GATHER", of, self.integers(places), Axis=1)

    def stacked(self, of: int, *shape: int) -> int:
        """Return the place of a tensor in another shape."""
        return self.model.add("RESHAPE", of, self.integers(shape))

    def missing(self, of: int) -> int:
        """Return the place of 1 where a number is NaN."""
        return self.truth("NOT_EQUAL", of, of)

    def filled(self, of: int) -> int:
        """Return the place of numbers with zero where one is NaN."""
        known = self.model.add("EQUAL", of, of, dtype=np.bool_)
        return self.model.add("SELECT_V2", known, of, self.numbers(0.0))

    def truth(self, kind: str, first: int, second: int) -> int:
        """Return the place of a comparison as numbers 0 and 1."""
        return self.model.add("CAST", self.model.add(kind, first, second, dtype=np.bool_))

    def joined(self, parts: list[int]) -> int:
        """Return the place of matrices beside each other."""
        return parts[0] if len(parts) == 1 else self.model.add("CONCATENATION", *parts, Axis=1)

    def linear(
        self,
        of: int,
        weights: NDArray[np.float64],
        bias: NDArray[np.float64],
        *,
        exact: bool = False,
    ) -> int:
        """Return the place of weighted sums of columns."""
        storage = Storage() if exact else self.storage
        stored = storage.dense(self.model, weights)
        if stored.factors is not None:
            of = self.model.add("MUL", of, stored.factors)
        if stored.scales is None:
            return self.model.add("FULLY_CONNECTED", of, stored.weights, self.numbers(bias))
        total = self.model.add("FULLY_CONNECTED", of, stored.weights, -1)
        scaled = self.model.add("MUL", total, stored.scales)
        return self.model.add("ADD", scaled, self.numbers(bias))

    def folded(self, kind: str, parts: list[int]) -> int:
        """Return the place of parts joined two by two by an operator."""
        total = parts[0]
        for part in parts[1:]:
            total = self.model.add(kind, total, part)
        return total
