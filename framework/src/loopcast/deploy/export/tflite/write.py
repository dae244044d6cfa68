"""Graphs as .tflite files.

The convention of a file: input ``features`` of shape (rows, n), and ``state`` of shape (1, k) where
the graph has one; output ``output`` of shape (rows, m), and ``next_state``. All are float32, and
the number of rows is free: a caller resizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcast.api.graph import Graph
from loopcast.deploy.export.tflite.blocks import lowered
from loopcast.deploy.export.tflite.flat import FlatModel
from loopcast.deploy.export.tflite.lowering import ANY, Lowering
from loopcast.deploy.export.tflite.storage import Precision, Scales, Storage


@dataclass(frozen=True, eq=False)
class Written:
    """A file.

    Attributes
    ----------
    content
        Its bytes.
    scales
        Of the weights that are stored as bytes, to be frozen in the next version's file.
    """

    content: bytes
    scales: tuple[Scales, ...]


def write_tflite(
    graph: Graph,
    precision: Precision = "float32",
    frozen: tuple[Scales, ...] = (),
) -> Written:
    """Write a graph; the same graph gives the same bytes.

    Parameters
    ----------
    precision
        How weights are stored.
    frozen
        Scales of the file of an earlier version, kept where weights still fit them.

    Raises
    ------
    ConfigurationError
        Where the package that writes is not installed.
    ModelError
        Where a block does not fit what it is made from.
    """
    model = FlatModel()
    storage = Storage(precision, frozen)
    features = model.input("features", (ANY, len(graph.features)))
    remembers = graph.next_state is not None
    state = model.input("state", (1, graph.state)) if remembers else None
    to = Lowering(model, storage, features, state, lowered)
    output = to.of(graph.output)
    model.call(output, "output", (ANY, len(graph.outputs)))
    inputs, outputs = [features], [output]
    if state is not None and graph.next_state is not None:
        following = to.of(graph.next_state)
        model.call(following, "next_state", (1, graph.state))
        inputs.append(state)
        outputs.append(following)
    return Written(model.content(inputs, outputs), tuple(storage.scales))
