"""Bases of terms as columns of a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from loopcast.api import graph as g

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Expansion:
    """A basis in columns of a matrix.

    Attributes
    ----------
    places : ndarray, shape (k,)
        Of the columns.
    matrix : ndarray, shape (k, size of the basis)
        From coefficients of the basis to weights of the columns.
    """

    places: Places
    matrix: Floats


@dataclass(frozen=True, eq=False)
class Written:
    """Bases of one kind.

    Attributes
    ----------
    places
        In the file, of matrices that belong beside each other.
    expansions
        Of each basis, in their columns.
    width
        Number of their columns.
    """

    places: list[int]
    expansions: Mapping[g.Basis, Expansion]
    width: int
