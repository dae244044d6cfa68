"""What a device asks a package before it uses it, and how near the answers have to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ModelError
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.vectors import TOLERANCE, Vectors
from loopcast_edge.wire import Golden, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GOLDEN_ROWS = 32
"""Rows that a device tests; the centre tests all of the scenario."""

GOLDEN_BYTES = 131_072
"""What they may take of a manifest: a row of a list has a number for each item."""

MOST_RELATIVE = 10.0
"""Times the tolerance: a larger share of small answers would allow more than one number does."""

LARGEST_STEP = 5e-3
"""A step of eight bits, and a bit: by more, no two runtimes differ over the same file."""

SAME_CODE = 0.25
"""By so much codes may differ and are the same."""

APART = 1e-4
"""Scores of a list that are nearer, as a share of the largest, may change places elsewhere."""


def golden_of(vectors: Vectors, model: bytes, tolerance: float) -> Golden:
    """Return rows that a device tests, spread over all of them.

    Parameters
    ----------
    model
        The file. Where it has rounded weights, its own answers are what is expected: they were
        compared with those of the version, whose lists may have other items.
    tolerance
        Largest difference of a column, as a share of its largest answer, and of the state alike;
        devices allow twice as much, since runtimes differ a little, but no more than two steps of
        eight bits. Items of a list have to be the same.

    Raises
    ------
    ModelError
        Where rounding could change every list.
    """
    asked = vectors if tolerance <= TOLERANCE else _answered(vectors, model)
    rows = _rows(asked)
    features, expected = asked.features[rows], asked.expected[rows]
    absolute, relative = _allowed(asked, expected, 2.0 * min(tolerance, LARGEST_STEP))
    return Golden(
        features=Tensor.of(features),
        output=Tensor.of(expected),
        state=_tensor(asked.state),
        next_state=_tensor(asked.next_state),
        absolute=absolute,
        relative=relative,
    )


def _allowed(vectors: Vectors, expected: Floats, share: float) -> tuple[float, float]:
    if vectors.codes:
        scores = np.abs(expected[:, vectors.codes :])
        return min(share * float(scores.max()), SAME_CODE), 0.0
    return allowances(expected, vectors.next_state, share)


def allowances(output: Floats, state: Floats | None, share: float) -> tuple[float, float]:
    """Return an absolute and a relative tolerance that allow each column a share of its largest.

    Together they allow hardly more than that where answers are far from zero. Where some are not,
    the absolute one alone allows all columns what the largest needs.

    Parameters
    ----------
    output : ndarray, shape (rows, columns)
    state : ndarray, shape (1, k), or None
        Counts as one column.

    Examples
    --------
    >>> absolute, relative = allowances(np.array([[0.2, 300.0], [0.4, 600.0]]), None, 0.001)
    >>> absolute, round(relative, 6)
    (0.0004, 0.001999)
    """
    columns = [*np.abs(output).T, *(() if state is None else np.abs(state))]
    largest = [float(column.max()) for column in columns if column.any()] or [1.0]
    absolute = share * min(largest)
    with np.errstate(divide="ignore"):
        shares = [(share * c.max() - absolute) / c.min() for c in columns if c.max() > min(largest)]
    relative = float(max(shares, default=0.0))
    if relative > MOST_RELATIVE * share:
        return share * max(largest), 0.0
    return absolute, relative


def _answered(vectors: Vectors, model: bytes) -> Vectors:
    """Return vectors with what a file answers to them, without lists whose order is in doubt."""
    found, following = next(sessions(model)).run(vectors.features, vectors.state)
    scores = found[:, vectors.codes :].astype(np.float64)
    kept = np.full(len(scores), True)
    if vectors.codes:
        apart = scores[:, :-1] - scores[:, 1:] > APART * np.abs(scores).max()
        kept = np.asarray((apart | (scores[:, 1:] == 0.0)).all(axis=1))
    if not kept.any():
        raise ModelError(
            "the file has no list of the test scenario with scores that are apart by more than "
            "rounding, by which a device could prove it"
        )
    return replace(
        vectors,
        features=vectors.features[kept],
        expected=found[kept].astype(np.float64),
        next_state=None if following is None else following.astype(np.float64),
    )


def _rows(vectors: Vectors) -> NDArray[np.intp]:
    """Return which rows are asked: all with a state, which is what all of them leave behind."""
    rows = len(vectors.features)
    if vectors.next_state is not None:
        return np.arange(rows)
    width = vectors.features.shape[1] + vectors.expected.shape[1]
    count = min(GOLDEN_ROWS, max(1, GOLDEN_BYTES // (4 * width)))
    return np.unique(np.linspace(0, rows - 1, count).astype(np.intp))


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else Tensor.of(array)
