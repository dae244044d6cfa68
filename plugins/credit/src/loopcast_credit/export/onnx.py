"""Models as ONNX, in doubles throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.bins.bins import CategoryBins, NumericBins
from loopcast_credit.boost.encode import Input
from loopcast_credit.boost.trees import Split, Tree
from loopcast_credit.export.graph import Graph, library

ML = "ai.onnx.ml"
LESS_OR_EQUAL, SUM = 0, 1
"""Codes of the operator TreeEnsemble for a split's question and for adding trees up."""


def card_onnx(card: Card) -> bytes:
    """Return a card as an ONNX model."""
    graph = Graph()
    terms = [graph.constant(np.full((1, 1), card.intercept))]
    for effect in card.effects:
        x = graph.input(effect.bins.name, text=isinstance(effect.bins, CategoryBins))
        if isinstance(effect.bins, NumericBins):
            terms.append(_number(graph, x, effect.bins, effect))
        else:
            terms.append(_category(graph, x, effect.bins, effect))
    return graph.model(graph.sum(terms))


def _number(graph: Graph, x: str, bins: NumericBins, effect: Effect) -> str:
    """Return what a number adds: its bin is the number of cuts that it reaches."""
    code = _interval(graph, x, bins.cuts)
    for place, special in enumerate(bins.specials):
        equal = graph.node("Equal", x, graph.constant(np.full((1, 1), special)))
        code = graph.node("Where", equal, _code(graph, bins.body + place), code)
    missing = graph.node("IsNaN", x)
    code = graph.node("Where", missing, _code(graph, bins.size - 1), code)
    added = graph.node("Gather", graph.constant(np.array(effect.values)), code)
    if effect.slopes:
        slopes = np.zeros(bins.size)
        slopes[: bins.body] = effect.slopes
        known = graph.where_missing(x, graph.constant(np.zeros((1, 1))))
        slope = graph.node("Gather", graph.constant(slopes), code)
        added = graph.node("Add", added, graph.node("Mul", slope, known))
    return added


def _interval(graph: Graph, x: str, cuts: Sequence[float]) -> str:
    if not cuts:
        zero = graph.node("Mul", x, graph.constant(np.zeros((1, 1))))
        filled = graph.where_missing(zero, graph.constant(np.zeros((1, 1))))
        return graph.node("Cast", filled, to=library().TensorProto.INT64)
    reached = graph.node("GreaterOrEqual", x, graph.constant(np.array([cuts])))
    ones = graph.node("Cast", reached, to=library().TensorProto.INT64)
    return graph.node("ReduceSum", ones, graph.constant(np.array([1])), keepdims=1)


def _code(graph: Graph, code: int) -> str:
    return graph.constant(np.full((1, 1), code, np.int64))


def _category(graph: Graph, x: str, bins: CategoryBins, effect: Effect) -> str:
    codes = {name: code for code, group in enumerate(bins.groups) for name in group}
    codes.setdefault("", bins.body)
    code = graph.node(
        "LabelEncoder",
        x,
        domain=ML,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=bins.body + 1,
    )
    return graph.node("Gather", graph.constant(np.array(effect.values)), code)


def trees_onnx(inputs: Sequence[Input], trees: Sequence[Tree]) -> bytes:
    """Return trees as an ONNX model."""
    graph = Graph()
    matrix = graph.node("Concat", *(_input(graph, one) for one in inputs), axis=1)
    log_odds = graph.node("TreeEnsemble", matrix, domain=ML, **_ensemble(trees))
    return graph.model(log_odds)


def _input(graph: Graph, one: Input) -> str:
    x = graph.input(one.name, text=one.categories is not None)
    if one.categories is not None:
        ranks = graph.node(
            "LabelEncoder",
            x,
            domain=ML,
            keys_strings=list(one.categories) or [""],
            values_floats=[float(at) for at in range(len(one.categories))] or [float("nan")],
            default_float=float("nan"),
        )
        x = graph.double(ranks)
    if one.fill is None:
        return x
    return graph.where_missing(x, graph.constant(np.full((1, 1), one.fill)))


def _ensemble(trees: Sequence[Tree]) -> dict[str, Any]:
    """Return the attributes of the operator TreeEnsemble: nodes and leaves in two long tables."""
    nodes: list[list[float]] = []
    leaves: list[float] = []

    def add(tree: Tree) -> tuple[int, bool]:
        """Add a tree and return its place, and whether it is a leaf."""
        if not isinstance(tree, Split):
            leaves.append(tree)
            return len(leaves) - 1, True
        place = len(nodes)
        nodes.append([])
        left, right = add(tree.left), add(tree.right)
        nodes[place] = [tree.feature, tree.threshold, tree.missing_left, *left, *right]
        return place, False

    # A root cannot be a leaf; one that is becomes a question whose answers are the same.
    roots = [
        add(tree if isinstance(tree, Split) else Split(0, 0.0, True, tree, tree))[0]
        for tree in trees
    ]
    columns = list(zip(*nodes, strict=True))
    tensor = library().numpy_helper.from_array
    return {
        "aggregate_function": SUM,
        "n_targets": 1,
        "tree_roots": roots,
        "nodes_featureids": [int(value) for value in columns[0]],
        "nodes_splits": tensor(np.array(columns[1], np.float64)),
        "nodes_modes": tensor(np.full(len(nodes), LESS_OR_EQUAL, np.uint8)),
        "nodes_missing_value_tracks_true": [int(value) for value in columns[2]],
        "nodes_truenodeids": [int(value) for value in columns[3]],
        "nodes_trueleafs": [int(value) for value in columns[4]],
        "nodes_falsenodeids": [int(value) for value in columns[5]],
        "nodes_falseleafs": [int(value) for value in columns[6]],
        "leaf_targetids": [0] * len(leaves),
        "leaf_weights": tensor(np.array(leaves, np.float64)),
    }
