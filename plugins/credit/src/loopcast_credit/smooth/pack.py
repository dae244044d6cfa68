"""Characteristics packed together, so that one table counts several of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast_credit.bins.counted import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 256
"""Largest number of cells of a pack. The table of two packs then stays in the processor's cache,
and its cells are numbers of 16 bits."""


@dataclass(frozen=True, eq=False)
class Pack:
    """Characteristics as one, whose cells are the combinations of their bins.

    Attributes
    ----------
    codes : ndarray, shape (rows,), uint16
        The cell of each row.
    members : ndarray, shape (cells, bins of all characteristics)
        1 where a cell is in a bin.
    place : ndarray, shape (bins of all characteristics,)
        Place of each bin among the coefficients.
    """

    codes: NDArray[np.uint16]
    members: NDArray[np.float64]
    place: NDArray[np.intp]

    @property
    def cells(self) -> int:
        """Number of combinations."""
        return len(self.members)

    def joint(self, other: Pack, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over each pair of bins, shape (bins, bins of the other)."""
        size = self.cells * other.cells
        pair = self.codes.astype(np.min_scalar_type(size))
        pair *= pair.dtype.type(other.cells)
        pair += other.codes
        table = counted(pair, rows, size).reshape(self.cells, other.cells)
        return np.asarray(self.members.T @ table @ other.members)

    def own(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a number of each row over each pair of bins of the pack, shape (bins, bins)."""
        table = counted(self.codes, rows, self.cells)
        return np.asarray((self.members.T * table) @ self.members)


def packed(codes: Sequence[NDArray[Any]], sizes: Sequence[int]) -> tuple[Pack, ...]:
    """Pack characteristics while tables of their cells are smaller than the rows.

    The larger ones choose first, each the first pack with room for it, so that packs are few.

    Parameters
    ----------
    codes : sequence of ndarray, each of shape (rows,)
        The bin of each row, for each characteristic.
    sizes
        Number of bins of each characteristic.
    """
    most = min(MOST, int(np.sqrt(2 * len(codes[0]))))
    groups: list[list[int]] = []
    for at in sorted(range(len(sizes)), key=lambda at: -sizes[at]):
        room = (g for g in groups if sizes[at] * math.prod(sizes[one] for one in g) <= most)
        group = next(room, None)
        if group is None:
            groups.append([at])
        else:
            group.append(at)
    ends = 1 + np.cumsum(sizes)
    places = [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return tuple(_pack(group, codes, sizes, places) for group in groups)


def _pack(
    group: Sequence[int],
    codes: Sequence[NDArray[Any]],
    sizes: Sequence[int],
    places: Sequence[NDArray[np.intp]],
) -> Pack:
    cell = codes[group[0]].astype(np.uint16)
    for at in group[1:]:
        cell *= sizes[at]
        cell += codes[at]
    own = [sizes[at] for at in group]
    bins = np.indices(own).reshape(len(own), -1)
    members = np.hstack([np.eye(size)[one] for size, one in zip(own, bins, strict=True)])
    return Pack(cell, members, np.concatenate([places[at] for at in group]))
