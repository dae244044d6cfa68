"""From the blocks of a graph to operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import graph as g
from loopcast.api.errors import ModelError
from loopcast.deploy.export.tflite.flat import FlatModel
from loopcast.deploy.export.tflite.storage import Storage

if TYPE_CHECKING:
    from numpy.typing import NDArray

RELU = 1
"""Code of the activation that an operator may have built in."""


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
    done
        Place of the output of each block so far.
    """

    model: FlatModel
    storage: Storage
    features: int
    state: int | None
    done: dict[g.Block, int] = field(default_factory=dict)

    def of(self, block: g.Block) -> int:
        """Return the place of a block's output, computed once."""
        if block not in self.done:
            self.done[block] = lowered(block, self)
        return self.done[block]

    def numbers(self, values: Any) -> int:
        """Return the place of constant float32 numbers."""
        return self.model.constant(np.asarray(values, np.float32))

    def columns(self, of: int, places: Any) -> int:
        """Return the place of some columns of a matrix."""
        return self.model.add(
            "GATHER", of, self.model.constant(np.asarray(places, np.int32)), Axis=1
        )

    def joined(self, parts: list[int]) -> int:
        """Return the place of matrices beside each other."""
        return parts[0] if len(parts) == 1 else self.model.add("CONCATENATION", *parts, Axis=1)

    def linear(self, of: int, weights: NDArray[np.float64], bias: NDArray[np.float64]) -> int:
        """Return the place of weighted sums of columns."""
        stored, scales = self.storage.dense(self.model, weights)
        if scales is None:
            return self.model.add("FULLY_CONNECTED", of, stored, self.numbers(bias))
        total = self.model.add("FULLY_CONNECTED", of, stored, -1)
        scaled = self.model.add("MUL", total, scales)
        return self.model.add("ADD", scaled, self.numbers(bias))

    def folded(self, kind: str, parts: list[int]) -> int:
        """Return the place of parts joined two by two by an operator."""
        total = parts[0]
        for part in parts[1:]:
            total = self.model.add(kind, total, part)
        return total


@singledispatch
def lowered(block: object, to: Lowering) -> int:
    """Write a block's operators and return the place of its output."""
    raise ModelError(f"{type(block).__name__} is no block of a graph")


@lowered.register
def _features(block: g.Features, to: Lowering) -> int:
    return to.features


@lowered.register
def _state(block: g.State, to: Lowering) -> int:
    if to.state is None:
        raise ModelError("a graph that reads its state has to say what the next one is")
    return to.state


@lowered.register
def _additive(block: g.Additive, to: Lowering) -> int:
    from loopcast.deploy.export.tflite.additive import additive

    return additive(block, to)


@lowered.register
def _linear(block: g.Linear, to: Lowering) -> int:
    return to.linear(to.of(block.of), block.weights, block.bias)


@lowered.register
def _sum(block: g.Sum, to: Lowering) -> int:
    return to.folded("ADD", [to.of(part) for part in block.parts])


@lowered.register
def _product(block: g.Product, to: Lowering) -> int:
    return to.model.add("MUL", to.of(block.first), to.of(block.second))


@lowered.register
def _joined(block: g.Joined, to: Lowering) -> int:
    return to.joined([to.of(part) for part in block.parts])


@lowered.register
def _columns(block: g.Columns, to: Lowering) -> int:
    return to.columns(to.of(block.of), block.places)


@lowered.register
def _clipped(block: g.Clipped, to: Lowering) -> int:
    raised = to.model.add("MAXIMUM", to.of(block.of), to.numbers(block.low))
    return to.model.add("MINIMUM", raised, to.numbers(block.high))


@lowered.register
def _top(block: g.Top, to: Lowering) -> int:
    count = to.model.constant(np.array(block.count, np.int32))
    values, places = to.model.several(
        "TOPK_V2", to.of(block.of), count, version=1, dtypes=(np.float32, np.int32)
    )
    return to.joined([to.model.add("CAST", places), values])


@lowered.register
def _logistic(block: g.Logistic, to: Lowering) -> int:
    return to.model.add("LOGISTIC", to.of(block.of))


@lowered.register
def _exponential(block: g.Exponential, to: Lowering) -> int:
    return to.model.add("EXP", to.of(block.of))


@lowered.register
def _logarithm(block: g.Logarithm, to: Lowering) -> int:
    return to.model.add("LOG", to.of(block.of))
