"""Interactions as matrices: who chose what, and how long ago in the order of each entity."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from loopcast.api import DataError, RankData, RankQuery
from loopcast.api.rank import matrix_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def choices(data: RankData) -> sparse.csr_array:
    """Return the choices of :class:`loopcast.api.RankData`.

    Returns
    -------
    csr_array, shape (entities, items), float32

    Raises
    ------
    DataError
        Where there is no interaction.
    """
    refuse_nothing(data)
    return data.choices


def refuse_nothing(data: RankData) -> None:
    """Raise ``DataError`` where there is no interaction."""
    if not len(data.item):
        raise DataError("no interactions to learn from")


def pairs(
    row: NDArray[np.integer[Any]], column: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> sparse.csr_array:
    """Return a matrix that is 1 at some pairs, each named once."""
    return sparse.csr_array((np.ones(len(row), dtype=np.float32), (row, column)), shape=shape)


def presence(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return 1 where a matrix has an entry."""
    return _with(matrix, np.ones(matrix.nnz, dtype=np.float32))


def remembered(matrix: sparse.csr_array, half_life: float | None) -> sparse.csr_array:
    """Weigh each choice by ½ to the power of the later choices over the half-life.

    Parameters
    ----------
    matrix
        As :func:`choices` has it.
    half_life
        In choices of the entity; all weigh one where it is ``None``.
    """
    if half_life is None:
        return presence(matrix)
    return _with(matrix, np.exp2((1.0 - matrix.data) / np.float32(half_life)).astype(np.float32))


def _with(matrix: sparse.csr_array, data: NDArray[np.float32]) -> sparse.csr_array:
    """Return other values at the same places, which are not checked again."""
    found = copy(matrix)
    found.data = data
    return found


def histories(query: RankQuery, trained: sparse.csr_array) -> sparse.csr_array:
    """Return what each entity of a query has chosen: as the query says, or as training knew it."""
    if query.history is None:
        return matrix_rows(trained, query.entities)
    history = query.history.astype(np.float32, copy=False)
    if history.data.all():
        return history
    history = history.copy()  # the query keeps what it asks with
    history.eliminate_zeros()
    return history


def block_of(matrix: sparse.csr_array, rows: slice) -> sparse.csr_array:
    """Return rows that follow each other, without a copy of their entries.

    Parameters
    ----------
    rows
        With start and stop, and no step.
    """
    ends = matrix.indptr[rows.start : rows.stop + 1]
    part = slice(ends[0], ends[-1])
    return sparse.csr_array(
        (matrix.data[part], matrix.indices[part], ends - ends[0]),
        shape=(len(ends) - 1, matrix.shape[1]),
    )


def cells(matrix: sparse.csr_array) -> tuple[NDArray[np.intp], NDArray[np.integer[Any]]]:
    """Return row and column of each entry of a matrix that is not zero, row by row."""
    row, column = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices
    filled = matrix.data != 0
    return (row, column) if filled.all() else (row[filled], column[filled])
