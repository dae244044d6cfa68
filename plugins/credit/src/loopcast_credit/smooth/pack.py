"""Characteristics packed together, so that one table counts several of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 256
"""Largest number of cells of a pack; the table of two packs then stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Pack:
    """Neighbouring characteristics as one, whose cells are the combinations of their bins.

    Attributes
    ----------
    codes : ndarray, shape (rows,), intp
        The cell of each row.
    members : ndarray, shape (cells, bins of all characteristics)
        1 where a cell is in a bin.
    """

    codes: NDArray[np.intp]
    members: NDArray[np.float64]

    @property
    def cells(self) -> int:
        """Number of combinations."""
        return len(self.members)

    def joint(self, other: Pack, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over each pair of bins, shape (bins, bins of the other)."""
        pair = self.codes * other.cells
        pair += other.codes
        table = np.bincount(pair, rows, minlength=self.cells * other.cells)
        return np.asarray(self.members.T @ table.reshape(self.cells, -1) @ other.members)

    def own(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over each pair of bins of the pack, shape (bins, bins)."""
        table = np.bincount(self.codes, rows, minlength=self.cells)
        return np.asarray((self.members.T * table) @ self.members)


def packed(codes: Sequence[NDArray[Any]], sizes: Sequence[int]) -> tuple[Pack, ...]:
    """Pack neighbouring characteristics while tables of their cells are smaller than the rows.

    Parameters
    ----------
    codes : sequence of ndarray, each of shape (rows,)
        The bin of each row, for each characteristic.
    sizes
        Number of bins of each characteristic.
    """
    rows = len(codes[0])
    most = min(MOST, int(np.sqrt(2 * rows)))
    groups: list[list[int]] = []
    for at, size in enumerate(sizes):
        if groups and size * np.prod([sizes[one] for one in groups[-1]]) <= most:
            groups[-1].append(at)
        else:
            groups.append([at])
    return tuple(
        _pack([codes[at] for at in group], [sizes[at] for at in group]) for group in groups
    )


def _pack(codes: Sequence[NDArray[Any]], sizes: Sequence[int]) -> Pack:
    cell = codes[0].astype(np.intp)
    for one, size in zip(codes[1:], sizes[1:], strict=True):
        cell *= size
        cell += one
    bins = np.indices(sizes).reshape(len(sizes), -1)
    return Pack(cell, np.hstack([np.eye(size)[own] for size, own in zip(sizes, bins, strict=True)]))
