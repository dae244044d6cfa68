"""What a device adds to the correction that its fleet learns, and the correction at work.

A residual needs no more than the moment that it is about, so that nothing is kept until an outcome
comes, and only sums leave the device.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from loopcast_edge.agent.runtime import Floats
from loopcast_edge.wire import Correction, Manifest, Statistics, Update, statistics, week_inputs

FEWEST = 24
"""Residuals in a batch: the sums of a single one would tell what it was."""


def corrected(outputs: Floats, manifest: Manifest, interval: int) -> Floats:
    """Return the outputs of a model with what its fleet has learned added to them.

    Parameters
    ----------
    interval
        Number of the interval that the row is about.
    """
    correction = manifest.correction
    if correction is None or not correction.coef:
        return outputs
    starts = [_start_ms(manifest, interval + output.lead) for output in manifest.outputs]
    return (outputs + _added(correction, starts)).astype(np.float32)


def _start_ms(manifest: Manifest, interval: int) -> int:
    return 1000 * manifest.recipe.step_seconds * interval


def _added(correction: Correction, starts: list[int]) -> NDArray[np.float64]:
    added: NDArray[np.float64] = week_inputs(correction, starts) @ np.array(correction.coef)
    return added


class Lessons:
    """Sums of the residuals of each package whose manifest wants them."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Manifest, Statistics]] = {}

    def add(self, digest: str, manifest: Manifest, interval: int, error: float) -> None:
        """Take the error of what was said of an interval, prediction minus outcome."""
        correction = manifest.correction
        if correction is None:
            return
        start = _start_ms(manifest, interval)
        added = float(_added(correction, [start])[0]) if correction.coef else 0.0
        one = statistics(correction, [start], [added - error])
        _, before = self._sums.get(digest, (manifest, None))
        self._sums[digest] = manifest, one if before is None else before + one

    def take(self) -> list[partial[Update]]:
        """Return what makes the batches of what is enough; the rest goes on."""
        ready = [digest for digest, (_, sums) in self._sums.items() if sums.n >= FEWEST]
        return [partial(_batch, *self._sums.pop(digest)) for digest in ready]


def _batch(manifest: Manifest, sums: Statistics, outbox: str, sequence: int) -> Update:
    assert manifest.correction is not None
    return Update(
        outbox=outbox,
        sequence=sequence,
        logical_model=manifest.logical_model,
        segment=manifest.segment,
        version=manifest.version,
        zone=manifest.correction.zone,
        clip=manifest.correction.clip,
        inputs=manifest.correction.inputs,
        n=sums.n,
        gram=sums.triangle,
        cross=tuple(sums.cross.tolist()),
        squares=sums.squares,
    )
