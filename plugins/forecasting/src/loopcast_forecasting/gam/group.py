"""What the series of a panel share, and the sets of rows on which they were observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.design import Design, compile_design
from loopcast_forecasting.gam.gram import Block, Products, gram, gram_of, pack, products
from loopcast_forecasting.gam.inputs import Chunk
from loopcast_forecasting.gam.reml import Problem
from loopcast_forecasting.gam.smoothing import Smoothing, apart_of
from loopcast_forecasting.gam.system import Eigenbasis, System, build_system, eigenbasis

if TYPE_CHECKING:
    from pygam.terms import Term, TermList


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """What the series of a panel share.

    Attributes
    ----------
    design : Design
    basis : Eigenbasis
    blocks : list of Block
        The model matrix.
    weights : ndarray, shape (n,)
    gram : ndarray, shape (p, p)
        Of all rows.
    centre : ndarray, shape (p,)
        As in `PanelGam`.
    smoothing : Smoothing
    lams : ndarray, shape (k, m)
        λ of the terms, or where searches may start.
    """

    design: Design
    basis: Eigenbasis
    blocks: list[Block]
    weights: Floats
    gram: Floats
    centre: Floats
    smoothing: Smoothing
    lams: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class RowSet:
    """Series of a chunk that were observed on the same rows with the same weights.

    Attributes
    ----------
    members : ndarray, shape (k,), intp
        Positions in the chunk.
    weights : ndarray, shape (n,)
        Zero where there is no value.
    key : bytes
        Digest of the weights.
    """

    members: Indices
    weights: Floats
    key: bytes


def build_group(
    terms: Term | TermList,
    X: Floats,
    names: tuple[str, ...],
    weights: Floats,
    smoothing: Smoothing,
) -> Group:
    """Compile terms on the features and form the Gram matrix."""
    design, penalties = compile_design(terms, X, names)
    blocks = pack(design, X)
    basis = eigenbasis(design, penalties)
    return Group(
        design=design,
        basis=basis,
        blocks=blocks,
        weights=weights,
        gram=gram(blocks, design.n_coefs, weights),
        centre=_centre(design, blocks, X, weights),
        smoothing=smoothing,
        lams=basis.lam[None],
    )


def _centre(design: Design, blocks: list[Block], X: Floats, weights: Floats) -> Floats:
    """Return each column's mean over the rows where its term acts.

    A term times a number other than 0 or 1 has no level of its own and is not centred.
    """
    total = np.zeros(design.n_coefs)
    for block in blocks:
        total[block.columns] += weights[block.rows] @ block.values
    centre = total / weights.sum()
    for smooth, where in design.slices():
        if smooth.by_features:
            by = X[:, list(smooth.by_features)]
            acting = (weights * np.prod(by, axis=1)).sum() / weights.sum()
            centre[where] *= 1 / acting if np.isin(by, (0, 1)).all() and acting else 0.0
    centre[-1] = 0.0
    return np.asarray(centre)


def row_sets(data: Products, chunk: Chunk, group: Group) -> Iterator[RowSet]:
    """Group the series of a chunk by the rows and weights that they were observed with."""
    n_series = chunk.values.shape[1]
    own = range(n_series) if chunk.weights is not None else sorted(data.present)
    complete = np.setdiff1d(np.arange(n_series), np.array(own, np.intp))
    if len(complete):
        yield RowSet(members=complete, weights=group.weights, key=b"")
    members: dict[bytes, list[int]] = {}
    for k in own:
        digest = blake2b(_own_weights(data, chunk, group, k).tobytes()).digest()
        members.setdefault(digest, []).append(k)
    for key, each in members.items():
        weights = _own_weights(data, chunk, group, each[0])
        yield RowSet(members=np.array(each), weights=weights, key=key)


def _own_weights(data: Products, chunk: Chunk, group: Group, k: int) -> Floats:
    """Return the weights of a series' rows, zero where it has no value."""
    weights = group.weights if chunk.weights is None else chunk.weights[:, k]
    return np.asarray(weights * data.present.get(k, True))


def system_of_rows(group: Group, rows: RowSet) -> System:
    """Return the normal equations of a set of rows."""
    whole = group.gram
    of_rows = gram_of(group.blocks, whole, group.weights, rows.weights) if rows.key else whole
    return build_system(group.basis, of_rows, np.diagonal(whole))


def problem_of_rows(system: System, data: Products, rows: RowSet, smoothing: Smoothing) -> Problem:
    """Return the problem of the series of a set of rows."""
    independent = np.count_nonzero(rows.weights) / apart_of(smoothing)
    return Problem(
        system=system,
        right=np.asfortranarray(system.expand.T @ data.cross[:, rows.members]),
        square=data.square[rows.members],
        n_rows=max(independent, system.n_unpenalised + 1),
    )


def chunk_products(group: Group, chunk: Chunk) -> Products:
    """Return the products of the design with a chunk of series."""
    weights = group.weights if chunk.weights is None else chunk.weights
    weighted = chunk.weights is not None or bool(np.any(group.weights != 1))
    return products(group.blocks, group.design.n_coefs, chunk.values, weights if weighted else None)
