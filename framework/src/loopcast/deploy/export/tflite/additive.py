"""Sums of terms as operators: all splines, and all indicators, of a model at once.

Each operator costs a device a good part of a microsecond, whatever it computes, so that bases of
all features are evaluated together, in one matrix whose columns are weighted by one operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loopcast.api import graph as g
from loopcast.api.errors import ModelError
from loopcast.deploy.export.tflite.bases import Expansion, Floats, Places, Written
from loopcast.deploy.export.tflite.centred import centred
from loopcast.deploy.export.tflite.indicators import indicators
from loopcast.deploy.export.tflite.lowering import Lowering
from loopcast.deploy.export.tflite.splines import splines


@dataclass(frozen=True, eq=False)
class Pool:
    """Columns that terms are products of.

    Attributes
    ----------
    place
        Of the matrix in the file.
    width
        Its number of columns.
    """

    place: int
    width: int
    expansions: dict[g.Basis, Expansion]


def additive(block: g.Additive, to: Lowering) -> int:
    """Write a sum of terms and return the place of its output."""
    block = centred(block)
    pool = _pool(block.terms, to)
    parts, weights = _products(block.terms, pool, to)
    columns = to.joined(parts)
    if block.choice is None:
        return to.linear(columns, weights, block.intercept)
    return _chosen(columns, weights, block.intercept, block.choice, to)


def _chosen(columns: int, weights: Floats, intercept: Floats, feature: int, to: Lowering) -> int:
    """Return the weighted sum of each row by the weights that its code chooses."""
    code = to.model.add("GATHER", to.features, to.integers(feature), Axis=1)
    chosen = to.model.add("CAST", code, dtype=np.int32)
    stored = to.storage.table(to.model, weights, chosen)
    if stored.factors is not None:
        columns = to.model.add("MUL", columns, stored.factors)
    products = to.model.add("MUL", columns, stored.weights)
    total = to.model.add("SUM", products, to.integers([1]), KeepDims=1)
    if stored.scales is not None:
        total = to.model.add("MUL", total, stored.scales)
    if stored.common is not None:
        common = to.model.add("FULLY_CONNECTED", columns, stored.common, -1)
        total = to.model.add("ADD", total, common)
    constants = to.model.add("GATHER", to.numbers(intercept[:, None]), chosen, Axis=0)
    return to.model.add("ADD", total, constants)


def _products(terms: Sequence[g.Term], pool: Pool, to: Lowering) -> tuple[list[int], Floats]:
    """Return the places of the columns of all terms, and their weights, (outputs, columns)."""
    parts, weights = [], []
    for order in sorted({len(term.bases) for term in terms}):
        same = [_expanded(term, pool) for term in terms if len(term.bases) == order]
        places = np.hstack([one for one, _ in same])
        weighted = np.vstack([weight for _, weight in same])
        if order == 1:
            places, weighted = _merged(places, weighted)
        factors = [_taken(factor, pool, to) for factor in places]
        parts.append(to.folded("MUL", factors))
        weights.append(weighted.T)
    return parts, np.hstack(weights)


def _expanded(term: g.Term, pool: Pool) -> tuple[Places, Floats]:
    """Return the columns of the pool whose products a term sums, (factors, k), and weights."""
    found = [pool.expansions[basis] for basis in term.bases]
    grid = np.meshgrid(*(one.places for one in found), indexing="ij")
    matrix: Floats = np.eye(1)
    for one in found:
        matrix = np.asarray(np.kron(matrix, one.matrix), np.float64)
    if term.coef.shape[0] != matrix.shape[1]:
        raise ModelError(
            f"term {term.label} has {term.coef.shape[0]} coefficients for {matrix.shape[1]} columns"
        )
    return np.array([axis.ravel() for axis in grid]), matrix @ term.coef


def _merged(places: Places, weights: Floats) -> tuple[Places, Floats]:
    """Add the weights of columns that several terms have up."""
    once, which = np.unique(places[0], return_inverse=True)
    total = np.zeros((len(once), weights.shape[1]))
    np.add.at(total, which, weights)
    return once[None], total


def _taken(places: Places, pool: Pool, to: Lowering) -> int:
    if np.array_equal(places, np.arange(pool.width)):
        return pool.place
    return to.columns(pool.place, places)


def _pool(terms: Iterable[g.Term], to: Lowering) -> Pool:
    bases = list(dict.fromkeys(basis for term in terms for basis in term.bases))
    written = [
        write([basis for basis in bases if isinstance(basis, kinds)], to)
        for kinds, write in WRITERS
        if any(isinstance(basis, kinds) for basis in bases)
    ]
    starts = np.cumsum([0, *(one.width for one in written)])
    expansions = {
        basis: Expansion(own.places + start, own.matrix)
        for one, start in zip(written, starts, strict=False)
        for basis, own in one.expansions.items()
    }
    places = [place for one in written for place in one.places]
    return Pool(to.joined(places), int(starts[-1]), expansions)


def _lines(lines: Sequence[g.Line], to: Lowering) -> Written:
    features = to.columns(to.features, [line.feature for line in lines])
    own: dict[g.Basis, Expansion] = {
        line: Expansion(np.array([at]), np.ones((1, 1))) for at, line in enumerate(lines)
    }
    return Written([features], own, len(lines))


WRITERS: tuple[tuple[Any, Callable[[Any, Lowering], Written]], ...] = (
    (g.Spline, splines),
    (g.Line, _lines),
    (g.Intervals | g.Levels, indicators),
)
