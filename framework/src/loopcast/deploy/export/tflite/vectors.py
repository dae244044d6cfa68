"""Golden vectors: inputs from a bundle's test scenario, and what the model answers to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import IntegrityError
from loopcast.deploy.export.tflite.runtimes import Session, sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-5
"""Largest difference of an answer of a file in float32, as a share of the largest."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Vectors:
    """One call of a model.

    Attributes
    ----------
    features : ndarray, shape (rows, n), float32
        As the recipe makes them.
    expected : ndarray, shape (rows, m), float64
        What the model answers, by itself and not as a file.
    state, next_state : ndarray, shape (1, k), or None
        Of a model with memory.
    codes
        How many of the first columns name something, such as the items of a list. A file with
        rounded weights is judged by the numbers after them, since near ones change places.
    """

    features: NDArray[np.float32]
    expected: NDArray[np.float64]
    state: NDArray[np.float32] | None = None
    next_state: NDArray[np.float64] | None = None
    codes: int = 0


def compared(content: bytes, vectors: Vectors, tolerance: float, what: str) -> dict[str, float]:
    """Run a file on vectors in every runtime that is installed, and return how it differs.

    Parameters
    ----------
    tolerance
        Largest difference, as `difference` measures it; above `TOLERANCE`, codes are left out.
    what
        The version, for the error.

    Returns
    -------
    dict
        Largest difference by runtime.

    Raises
    ------
    IntegrityError
        Where the file has other columns, or differs by more.
    """
    worst = {}
    first = 0 if tolerance <= TOLERANCE else vectors.codes
    for session in sessions(content):
        _check_columns(session, vectors, what)
        output, following = session.run(vectors.features, vectors.state)
        worst[session.runtime] = difference(output[:, first:], vectors.expected[:, first:])
        if vectors.next_state is not None and following is not None:
            state = difference(following.T, vectors.next_state.T)
            worst[session.runtime] = max(worst[session.runtime], state)
        if not worst[session.runtime] <= tolerance:
            raise IntegrityError(
                f"{what}: tflite, run by {session.runtime}, differs from the model by up to "
                f"{worst[session.runtime]:.3g} of the largest answer, and {tolerance:g} is "
                "allowed; nothing was exported"
            )
    return worst


def _check_columns(session: Session, vectors: Vectors, what: str) -> None:
    inputs = (vectors.features, vectors.state) if vectors.state is not None else (vectors.features,)
    wanted = tuple(one.shape[1] for one in inputs)
    if session.widths != wanted:
        raise IntegrityError(
            f"{what}: the file has inputs of {session.widths} columns, and the model's recipe "
            f"makes {wanted}"
        )


def difference(found: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    """Return the largest difference in a column, as a share of its largest expected magnitude.

    A column of zeros is compared as it is. Where shapes differ, or one has NaN and the other has
    not, it is NaN, which is within no tolerance.

    Examples
    --------
    >>> difference(np.array([[1.0, 599.0]]), np.array([[1.0, 600.0]]))
    0.0016666666666666668
    """
    if found.shape != expected.shape or not np.array_equal(np.isnan(found), np.isnan(expected)):
        return float("nan")
    apart = np.nan_to_num(np.abs(found - expected)).max(axis=0, initial=0.0)
    largest = np.nan_to_num(np.abs(expected)).max(axis=0, initial=0.0)
    return float((apart / np.where(largest > 0.0, largest, 1.0)).max(initial=0.0))
