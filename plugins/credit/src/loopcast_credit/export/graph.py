"""A small writer of ONNX graphs, in doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET, ML_OPSET, IR_VERSION = 21, 5, 10


def library() -> Any:
    """Return the package onnx.

    Raises
    ------
    ConfigurationError
        Where it is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise ConfigurationError(
            "an export to ONNX needs the package onnx, which is not installed: pip install "
            "'loopcast-credit[onnx]'"
        ) from None
    return onnx


@dataclass(eq=False)
class Graph:
    """A graph as it is written: inputs, constants and nodes; every node has one output."""

    inputs: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)

    def input(self, name: str, *, text: bool) -> str:
        """Add an input column and return its name."""
        onnx = library()
        kind = onnx.TensorProto.STRING if text else onnx.TensorProto.DOUBLE
        self.inputs.append(onnx.helper.make_tensor_value_info(name, kind, [None, 1]))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = f"constant:{len(self.constants)}"
        self.constants.append(library().numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = f"node:{len(self.nodes)}"
        made = library().helper.make_node(kind, inputs, [name], domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def double(self, value: str) -> str:
        """Cast a tensor to doubles."""
        return self.node("Cast", value, to=library().TensorProto.DOUBLE)

    def sum(self, terms: Sequence[str]) -> str:
        """Add tensors up from left to right."""
        total = terms[0]
        for term in terms[1:]:
            total = self.node("Add", total, term)
        return total

    def where_missing(self, x: str, value: str) -> str:
        """Replace NaN."""
        return self.node("Where", self.node("IsNaN", x), value, x)

    def model(self, log_odds: str) -> bytes:
        """Return the whole as a model whose output is the probability."""
        onnx = library()
        one = self.constant(np.ones((1, 1)))
        odds = self.node("Exp", self.node("Neg", log_odds))
        probability = self.node("Div", one, self.node("Add", one, odds))
        last = onnx.helper.make_node("Identity", [probability], ["probability"])
        output = onnx.helper.make_tensor_value_info(
            "probability", onnx.TensorProto.DOUBLE, [None, 1]
        )
        graph = onnx.helper.make_graph(
            [*self.nodes, last], "loopcast", self.inputs, [output], self.constants
        )
        opsets = [
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid("ai.onnx.ml", ML_OPSET),
        ]
        model = onnx.helper.make_model(graph, opset_imports=opsets, producer_name="loopcast")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
