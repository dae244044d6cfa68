"""Array types that the reconciliation modules share, and their product."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
SparseArray: TypeAlias = "csr_array[np.float64, tuple[int, int]]"


def product(matrix: Any, dense: FloatArray) -> FloatArray:
    """Multiply a sparse matrix by a dense one; its type is lost in SciPy's operator."""
    return cast("FloatArray", matrix @ dense)
