"""Check what a fit is given, and cut a panel into chunks of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from loopcast.api import DataError
from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.design import check_features
from loopcast_forecasting.gam.gram import Panel

SERIES_PER_CHUNK = 512
SERIES_IN_SAMPLE = 24


class Chunk(NamedTuple):
    """Some series, and their weights where these differ by series, shape (n, k) each."""

    values: Panel
    weights: Floats | None


def named_features(X: ArrayLike, names: Sequence[str] | None) -> tuple[tuple[str, ...], Floats]:
    """Return feature names and the checked feature matrix."""
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or not len(matrix):
        raise DataError(f"features have shape {matrix.shape}; expected (rows, features)")
    named = tuple(names) if names else tuple(f"x{k}" for k in range(matrix.shape[1]))
    return named, check_features(matrix, named)


def check_weights(weights: ArrayLike | None, n: int) -> tuple[Floats, Floats | None]:
    """Return weights per row and, where they differ by series, per row and series."""
    if weights is None:
        return np.ones(n), None
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != n:
        raise DataError(f"weights have shape {values.shape}; expected ({n},) or ({n}, series)")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"weights: {int(wrong.sum())} are negative or not finite, first in row {row}"
        )
    return (values, None) if values.ndim == 1 else (np.ones(n), values)


def chunks(
    Y: Panel | Iterable[Panel], n: int, weights: Floats | None
) -> tuple[Chunk, Iterator[Chunk]]:
    """Return a sample of the series, and all series chunk by chunk."""
    if isinstance(Y, np.ndarray):
        _check_panel(Y, n, weights)
        parts = range(0, Y.shape[1], SERIES_PER_CHUNK)
        slices = [slice(start, start + SERIES_PER_CHUNK) for start in parts]
        return _sample(Chunk(Y, weights)), (_columns(Y, weights, part) for part in slices)
    if weights is not None:
        raise DataError("weights per series need all series at once; give Y as one array")
    streamed = (_columns(_check_panel(part, n, None), None, slice(None)) for part in Y)
    first = next(streamed, None)
    if first is None:
        raise DataError("the panel has no series")
    return _sample(first), chain([first], streamed)


def _check_panel(Y: Panel, n: int, weights: Floats | None) -> Panel:
    if Y.ndim != 2 or len(Y) != n or not Y.shape[1]:
        raise DataError(
            f"the panel has shape {Y.shape}; expected ({n}, series), a row per feature row"
        )
    if weights is not None and weights.shape != Y.shape:
        raise DataError(f"weights have shape {weights.shape} but the panel has {Y.shape}")
    return Y


def _columns(Y: Panel, weights: Floats | None, part: slice) -> Chunk:
    values = Y[:, part]
    if values.dtype != np.float32:
        values = values.astype(np.float64, copy=False)
    if values.strides[1] != values.itemsize:
        values = np.ascontiguousarray(values)
    return Chunk(values, None if weights is None else weights[:, part])


def _sample(chunk: Chunk) -> Chunk:
    step = -(-chunk.values.shape[1] // SERIES_IN_SAMPLE)
    return _columns(chunk.values, chunk.weights, slice(None, None, step))
