"""One pass over the data: the Gram matrix of a design and its products with all series.

Rows are sorted so that rows with the same non-zero columns meet; a block of such rows is a small
dense matrix with few of the design's columns, and the products are dense matrix products (BLAS)
of a third to a tenth of the full size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.design import Design

Panel = NDArray[np.floating[Any]]  # float32 or float64
Missing = dict[int, NDArray[np.bool_]]  # where a series has no value, by its position

ROWS_PER_BLOCK = 512
BLOCKS_PER_EVALUATION = 8


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some rows of the model matrix, with the columns that are not zero in all of them.

    Attributes
    ----------
    rows : ndarray, shape (r,), intp
    columns : ndarray, shape (c,), intp
    values : ndarray, shape (r, c), float64
    """

    rows: Indices
    columns: Indices
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Products:
    """What a fit needs to know of the data of a chunk of series.

    Attributes
    ----------
    cross : ndarray, shape (n_coefs, n_series), float64
        ``Xᵀ W (y - shift)``, missing values left out.
    square : ndarray, shape (n_series,), float64
        ``(y - shift)ᵀ W (y - shift)``.
    shift : ndarray, shape (n_series,), float64
        A level near each series' mean, taken off to keep digits.
    present : dict of int to ndarray of bool, shape (n,)
        Where each series that is not complete has a value.
    infinite : ndarray of bool, shape (n_series,)
    """

    cross: Floats
    square: Floats
    shift: Floats
    present: dict[int, NDArray[np.bool_]]
    infinite: NDArray[np.bool_]


def pack(design: Design, X: Floats) -> list[Block]:
    """Evaluate a design as blocks of rows with similar columns.

    Parameters
    ----------
    design : Design
    X : ndarray, shape (n, n_features), float64

    Returns
    -------
    list of Block
        Together all rows, each once.
    """
    order = _similar_rows(design, X)
    return [
        block
        for rows in _parts(order, ROWS_PER_BLOCK * BLOCKS_PER_EVALUATION)
        for block in _blocks(design, X, rows)
    ]


def _similar_rows(design: Design, X: Floats) -> Indices:
    """Sort rows by the cells of the terms, the widest term first."""
    key = np.zeros(len(X), np.int64)
    radix = 1
    for smooth in sorted(design.smooths, key=lambda smooth: -smooth.n_coefs):
        cells = smooth.cells(X)
        size = int(cells.max(initial=0)) + 1
        if radix * size > 2**62:
            break
        key, radix = key * size + cells, radix * size
    return np.argsort(key, kind="stable")


def _parts(items: Indices, size: int) -> Iterator[Indices]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _blocks(design: Design, X: Floats, rows: Indices) -> Iterator[Block]:
    evaluated = design.evaluate(X[rows])
    for part in _parts(np.arange(len(rows)), ROWS_PER_BLOCK):
        columns, values = evaluated.columns[part], evaluated.values[part]
        active = np.zeros(design.n_coefs, bool)
        active[columns[values != 0]] = True
        used = np.flatnonzero(active)
        # Inactive columns only ever receive zeros; they share one extra column that is cut off.
        place = np.full(design.n_coefs, len(used), np.intp)
        place[used] = np.arange(len(used))
        dense = np.zeros((len(part), len(used) + 1))
        dense[np.arange(len(part))[:, None], place[columns]] = values
        yield Block(
            rows=rows[part], columns=used, values=np.ascontiguousarray(dense[:, : len(used)])
        )


def gram(blocks: Sequence[Block], n_coefs: int, weights: Floats | None = None) -> Floats:
    """Return ``Xᵀ W X``.

    Parameters
    ----------
    blocks : sequence of Block
    n_coefs : int
    weights : ndarray, shape (n,), optional
        Rows of weight zero cost nothing.

    Returns
    -------
    ndarray, shape (n_coefs, n_coefs), float64
    """
    total = np.zeros((n_coefs, n_coefs))
    for block in blocks:
        left = right = block.values
        if weights is not None:
            weight = weights[block.rows]
            kept = np.flatnonzero(weight)
            if not len(kept):
                continue
            right = block.values[kept]
            left = right * weight[kept, None]
        total[np.ix_(block.columns, block.columns)] += left.T @ right
    return total


def gram_of(blocks: Sequence[Block], whole: Floats, weights: Floats, kept: Floats) -> Floats:
    """Return ``Xᵀ W X`` for weights that differ in some rows from those of a known Gram matrix.

    Whichever is cheaper: the difference is added up and subtracted, or the Gram matrix itself is
    added up.

    Parameters
    ----------
    blocks : sequence of Block
    whole : ndarray, shape (n_coefs, n_coefs)
        The Gram matrix with ``weights``.
    weights, kept : ndarray, shape (n,)
        The known and the wanted weights.
    """
    left_out = weights - kept
    if np.count_nonzero(left_out) < np.count_nonzero(kept) // 2:
        return whole - gram(blocks, len(whole), left_out)
    return gram(blocks, len(whole), kept)


def products(
    blocks: Sequence[Block], n_coefs: int, Y: Panel, weights: Floats | None = None
) -> Products:
    """Return the products of a design with a chunk of series.

    Parameters
    ----------
    blocks : sequence of Block
    n_coefs : int
    Y : ndarray, shape (n, n_series), float32 or float64
        NaN where a value is missing. Products are formed in the precision of ``Y`` within a block
        and summed over blocks in float64.
    weights : ndarray, shape (n,) or (n, n_series), optional

    Returns
    -------
    Products
    """
    n, n_series = Y.shape
    shift = _levels(Y)
    cross, square = np.zeros((n_coefs, n_series)), np.zeros(n_series)
    missing: Missing = {}
    infinite = np.zeros(n_series, bool)
    for block in blocks:
        values = Y[block.rows]
        values -= shift
        part = np.einsum("ij,ij->j", values, values)
        bad = np.flatnonzero(~np.isfinite(part))
        if len(bad):
            infinite[bad] |= np.isinf(values[:, bad]).any(axis=0)
            _blank(values, bad, block.rows, missing, n)
        weighted = values if weights is None else values * _weights(weights, block.rows, Y)
        if len(bad) or weights is not None:
            part = np.einsum("ij,ij->j", weighted, values)
        square += part
        cross[block.columns] += block.values.astype(values.dtype).T @ weighted
    return Products(
        cross=cross,
        square=square,
        shift=shift.astype(np.float64),
        present={k: ~missing[k] for k in sorted(missing)},
        infinite=infinite,
    )


def _weights(weights: Floats, rows: Indices, Y: Panel) -> Panel:
    part = weights[rows].astype(Y.dtype)
    return part if part.ndim == 2 else part[:, None]


def _levels(Y: Panel) -> Panel:
    """Return the mean of a sample of each series' finite values, in the precision of ``Y``."""
    sample = np.asarray(Y[:: max(1, len(Y) // 512)], np.float64)
    finite = np.isfinite(sample)
    total = np.where(finite, sample, 0.0).sum(axis=0)
    levels: Floats = total / np.maximum(finite.sum(axis=0), 1)
    return levels.astype(Y.dtype)


def _blank(values: Panel, columns: Indices, rows: Indices, missing: Missing, n: int) -> None:
    """Set what is not finite to zero, in place, and note where it was."""
    part = values[:, columns]
    absent = ~np.isfinite(part)
    values[:, columns] = np.where(absent, 0, part)
    for column, where in zip(columns.tolist(), absent.T, strict=True):
        missing.setdefault(column, np.zeros(n, bool))[rows[where]] = True
