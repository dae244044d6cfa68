"""From the blocks of a graph to operators: a function for each kind of block."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from loopcast.api import graph as g
from loopcast.api.errors import ModelError
from loopcast.deploy.export.tflite.additive import additive
from loopcast.deploy.export.tflite.lowering import ANY, Lowering

VALID = 1
"""Code of the padding that adds nothing."""

INT32 = 2
"""Code of the type of integers."""


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
    return additive(block, to)


@lowered.register
def _linear(block: g.Linear, to: Lowering) -> int:
    return to.linear(to.of(block.of), block.weights, block.bias, exact=block.exact)


@lowered.register
def _filtered(block: g.Filtered, to: Lowering) -> int:
    image = to.stacked(to.of(block.of), 1, 1, ANY, 1)
    weights = to.numbers(block.weights[None, None, :, None])
    strides = {"StrideW": 1, "StrideH": 1}
    found = to.model.add("CONV_2D", image, weights, to.numbers([0.0]), Padding=VALID, **strides)
    return to.stacked(found, 1, ANY)


@lowered.register
def _sum(block: g.Sum, to: Lowering) -> int:
    return to.folded("ADD", [to.of(part) for part in block.parts])


@lowered.register
def _product(block: g.Product, to: Lowering) -> int:
    return to.model.add("MUL", to.of(block.first), to.of(block.second))


@lowered.register
def _quotient(block: g.Quotient, to: Lowering) -> int:
    return to.model.add("DIV", to.of(block.first), to.of(block.second))


@lowered.register
def _constant(block: g.Constant, to: Lowering) -> int:
    return to.numbers([block.values])


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
def _missing(block: g.Missing, to: Lowering) -> int:
    return to.missing(to.of(block.of))


@lowered.register
def _filled(block: g.Filled, to: Lowering) -> int:
    return to.filled(to.of(block.of))


@lowered.register
def _above(block: g.Above, to: Lowering) -> int:
    return to.truth("GREATER", to.of(block.of), to.numbers(block.threshold))


@lowered.register
def _one_hot(block: g.OneHot, to: Lowering) -> int:
    return to.truth("EQUAL", to.of(block.of), to.numbers([np.arange(block.size)]))


@lowered.register
def _first(block: g.First, to: Lowering) -> int:
    return to.model.add("GATHER", to.of(block.of), to.integers([0]), Axis=0)


@lowered.register
def _stacked(block: g.Stacked, to: Lowering) -> int:
    return to.stacked(to.of(block.of), ANY, block.columns)


@lowered.register
def _picked(block: g.Picked, to: Lowering) -> int:
    code = to.model.add("CAST", to.stacked(to.of(block.code), ANY), dtype=np.int32)
    return to.model.add("GATHER", to.of(block.table), code, Axis=0)


@lowered.register
def _following(block: g.Following, to: Lowering) -> int:
    one = to.integers(1)
    shape = to.model.add("SHAPE", to.features, dtype=np.int32, OutType=INT32)
    first = (to.integers([0]), to.integers([1]), to.integers([1]))
    rows = to.model.add("STRIDED_SLICE", shape, *first, dtype=np.int32, ShrinkAxisMask=1)
    places = to.model.add("RANGE", to.integers(0), rows, one, dtype=np.int32)
    column = to.stacked(to.of(block.of), ANY, 1)
    return to.model.add("GATHER", column, places, Axis=0)


@lowered.register
def _top(block: g.Top, to: Lowering) -> int:
    count = to.integers(block.count)
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
