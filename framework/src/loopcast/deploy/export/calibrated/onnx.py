"""A calibration as further nodes of an ONNX graph, in doubles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loopcast.api import ConfigurationError
from loopcast.develop.calibration.maps import EDGE, BetaMap, Calibration, CalibrationMap

ML = "ai.onnx.ml"


def calibrated_onnx(content: bytes, calibration: Calibration) -> bytes:
    """Return a model whose output ``probability`` is calibrated.

    Raises
    ------
    ConfigurationError
        Where the package onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise ConfigurationError(
            "an export to ONNX needs the package onnx, which is not installed: pip install "
            "'loopcast[export]'"
        ) from None
    model = onnx.load_model_from_string(content)
    graph = _Graph(onnx, model.graph)
    for node in model.graph.node:
        node.output[:] = [graph.before(name) for name in node.output]
        node.input[:] = [graph.before(name) for name in node.input]
    p = graph.node("Clip", graph.before("probability"), graph.number(EDGE), graph.number(1 - EDGE))
    rest = graph.node("Log", graph.node("Sub", graph.number(1.0), p))
    log_odds = _chosen(graph, calibration, graph.node("Log", p), rest)
    odds = graph.node("Exp", graph.node("Neg", log_odds))
    total = graph.node("Add", graph.number(1.0), odds)
    graph.node("Div", graph.number(1.0), total, output="probability")
    onnx.checker.check_model(model)
    found: bytes = model.SerializeToString(deterministic=True)
    return found


class _Graph:
    """Adds nodes to a graph, in order; their names begin as no scorer's do."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx, self.graph, self.count = onnx, graph, 0

    def before(self, name: str) -> str:
        """Return the name of a tensor, that of the scorer's own output replaced."""
        return "calibration:before" if name == "probability" else name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or self._name()
        made = self.onnx.helper.make_node(kind, inputs, [name], **attributes)
        self.graph.node.append(made)
        return name

    def constant(self, value: Any) -> str:
        name = self._name()
        self.graph.initializer.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.float64(value))

    def category(self, name: str, codes: Sequence[str]) -> str:
        """Return 1, 2, … for the categories of a feature, 0 for any other, shape (rows, 1)."""
        if all(one.name != name for one in self.graph.input):
            kind = self.onnx.TensorProto.STRING
            column = self.onnx.helper.make_tensor_value_info(name, kind, [None, 1])
            self.graph.input.append(column)
        numbers = list(range(1, len(codes) + 1))
        return self.node(
            "LabelEncoder",
            name,
            domain=ML,
            keys_strings=list(codes),
            values_int64s=numbers,
            default_int64=0,
        )

    def _name(self) -> str:
        self.count += 1
        return f"calibration:{self.count}"


def _chosen(graph: _Graph, calibration: Calibration, log: str, rest: str) -> str:
    """Return the calibrated log-odds of each row by the map of its group, shape (rows, 1)."""
    whole = _log_odds(graph, calibration.whole, log, rest)
    if calibration.by is None or not calibration.groups:
        return whole
    own = [_log_odds(graph, one, log, rest) for one in calibration.groups.values()]
    every = graph.node("Concat", whole, *own, axis=1)
    code = graph.category(calibration.by, list(calibration.groups))
    return graph.node("GatherElements", every, code, axis=1)


def _log_odds(graph: _Graph, one: CalibrationMap, log: str, rest: str) -> str:
    """Return calibrated log-odds from ln p and ln(1 − p)."""
    if isinstance(one, BetaMap):
        rising = graph.node("Mul", graph.number(one.a), log)
        falling = graph.node("Mul", graph.number(one.b), rest)
        return graph.node("Add", graph.node("Sub", rising, falling), graph.number(one.c))
    x = graph.node("Sub", log, rest)
    start, end, value, slope = (np.array(column) for column in zip(*one.lines(), strict=True))
    reached = graph.node("GreaterOrEqual", x, graph.constant(end[None, :-1]))
    ones = graph.node("Cast", reached, to=graph.onnx.TensorProto.INT64)
    at = graph.node("ReduceSum", ones, graph.constant(np.array([1])), keepdims=1)
    picked = [graph.node("Gather", graph.constant(part), at) for part in (start, value, slope)]
    beyond = graph.node("Sub", x, picked[0])
    return graph.node("Add", graph.node("Mul", picked[2], beyond), picked[1])
