"""What a device adds to the correction that its fleet learns, and the correction at work.

A residual needs no more than the moment that it is about, so that nothing is kept until an outcome
comes, and only sums leave the device.
"""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from loopcast_edge.agent.remembered import Notes
from loopcast_edge.agent.runtime import Floats
from loopcast_edge.wire import (
    Correction,
    Manifest,
    Statistics,
    Update,
    statistics,
    unpacked,
    week_inputs,
)

FEWEST = 24
"""Residuals in a batch: the sums of a single one would tell what it was."""

LESSONS = "lessons/"


class _Noted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sums of a package, as they are noted."""

    logical_model: str
    segment: str
    version: str
    correction: Correction
    n: int = 0
    gram: tuple[float, ...] = ()
    cross: tuple[float, ...] = ()
    squares: float = 0.0


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
    """Sums of the residuals of each package whose manifest wants them.

    Parameters
    ----------
    notes
        Where they are kept; sums that are found there go on.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        found = notes.read(LESSONS, _Noted)
        self._sums = {digest: (noted, _sums(noted)) for digest, noted in found.items()}
        self._changed: set[str] = set()

    def add(self, digest: str, manifest: Manifest, interval: int, error: float) -> None:
        """Take the error of what was said of an interval, prediction minus outcome."""
        correction = manifest.correction
        if correction is None:
            return
        start = _start_ms(manifest, interval)
        added = float(_added(correction, [start])[0]) if correction.coef else 0.0
        one = statistics(correction, [start], [added - error])
        before = self._sums.get(digest)
        of = _Noted(manifest.logical_model, manifest.segment, manifest.version, correction)
        self._sums[digest] = (of, one) if before is None else (before[0], before[1] + one)
        self._changed.add(digest)

    def note(self) -> None:
        """Note what was learned since the last note; belongs to the transaction that is open."""
        for digest in self._changed:
            of, sums = self._sums[digest]
            self._notes.write(LESSONS + digest, _noted(of, sums))
        self._changed.clear()

    def take(self) -> list[partial[Update]]:
        """Return what makes the batches of what is enough, and forget it; the rest goes on."""
        ready = [digest for digest, (_, sums) in self._sums.items() if sums.n >= FEWEST]
        self._notes.drop(*(LESSONS + digest for digest in ready))
        self._changed -= set(ready)
        return [partial(_batch, *self._sums.pop(digest)) for digest in ready]


def _noted(of: _Noted, sums: Statistics) -> _Noted:
    return msgspec.structs.replace(
        of,
        n=sums.n,
        gram=sums.triangle,
        cross=tuple(sums.cross.tolist()),
        squares=sums.squares,
    )


def _sums(noted: _Noted) -> Statistics:
    return unpacked(noted.n, noted.gram, noted.cross, noted.squares)


def _batch(of: _Noted, sums: Statistics, outbox: str, sequence: int) -> Update:
    whole = _noted(of, sums)
    return Update(
        outbox=outbox,
        sequence=sequence,
        logical_model=whole.logical_model,
        segment=whole.segment,
        version=whole.version,
        zone=whole.correction.zone,
        clip=whole.correction.clip,
        inputs=whole.correction.inputs,
        n=whole.n,
        gram=whole.gram,
        cross=whole.cross,
        squares=whole.squares,
    )
