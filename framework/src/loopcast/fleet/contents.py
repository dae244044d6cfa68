"""From a version's export to the contents of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.deploy.export.tflite.export import TOLERANCE, checked_file, exportable
from loopcast.fleet.packages import Contents
from loopcast.fleet.plausible import BEYOND, outputs_of
from loopcast.fleet.usual import usual_of
from loopcast_edge.wire import DriftReference, Golden, Tensor, Trial

if TYPE_CHECKING:
    from loopcast.deploy.export.tflite.vectors import Vectors
    from loopcast.deploy.loaded import LoadedVersion

GOLDEN_ROWS = 32
"""Rows that a device tests; the centre tests all of the scenario."""


def contents_of(
    loaded: LoadedVersion,
    *,
    trial: Trial,
    series: str = "",
    reference: DriftReference | None = None,
    ready: bytes | None = None,
    tolerance: float = TOLERANCE,
    beyond: float = BEYOND,
) -> Contents:
    """Return what a version becomes on a device, compared with its model in the runtimes here.

    Parameters
    ----------
    series
        Of a forecast: the one that devices forecast; empty where there is one only.
    reference
        Where devices count what they see.
    ready
        A file that another converter made of the version, in place of ours.
    tolerance
        Largest difference of an answer, as a share of the largest; devices allow twice as much,
        since runtimes differ a little.
    beyond
        How far outside of what it says all over its domain a device believes it; see
        `loopcast.fleet.plausible`.

    Raises
    ------
    ModelError
        When the version has no graph and no file was given.
    IntegrityError
        When the file differs from the model by more.
    """
    found = exportable(loaded, series)
    model, _, _ = checked_file(loaded, ready, tolerance, series)
    usual = usual_of(loaded, found.recipe.target)
    return Contents(
        model=model,
        recipe=found.recipe,
        outputs=outputs_of(found, model, beyond),
        golden=(golden_of(found.vectors, 2.0 * tolerance),),
        state=_tensor(found.vectors.state),
        profile=usual.profile,
        intervals=usual.intervals,
        trial=trial,
        reference=reference,
    )


def golden_of(vectors: Vectors, tolerance: float) -> Golden:
    """Return rows that a device tests, spread over all of them.

    Parameters
    ----------
    tolerance
        Largest difference, as a share of the largest answer.
    """
    rows = np.unique(np.linspace(0, len(vectors.features) - 1, GOLDEN_ROWS).astype(int))
    expected = vectors.expected[rows]
    stateful = vectors.state is not None and vectors.next_state is not None
    if stateful:  # the state that follows is that of all rows
        rows, expected = np.arange(len(vectors.features)), vectors.expected
    return Golden(
        features=Tensor.of(vectors.features[rows]),
        output=Tensor.of(expected),
        state=_tensor(vectors.state),
        next_state=_tensor(vectors.next_state),
        absolute=tolerance * float(np.abs(expected).max()),
        relative=0.0,
    )


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else Tensor.of(array)
