"""What each day was like, counted in the bins of the package's reference, and what it taught.

Counts are kept as notes beside the events that they count, at the same moment, so that power that
goes leaves both or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Optional

import msgspec
import numpy as np

from loopcast_edge.agent.learning import Lessons
from loopcast_edge.agent.remembered import Notes
from loopcast_edge.agent.tally import Latency, plus
from loopcast_edge.wire import (
    Batch,
    DriftReference,
    Errors,
    Manifest,
    SketchDay,
    empty_sketch,
)
from loopcast_edge.wire.messages import Role

DAY_MS = 86_400_000
DAY, COUNTS, TODAY = "day/", "counts/", "today"
NO_BINS = DriftReference(digest="0" * 16, columns=())
"""Of a package without a reference, predictions and errors are counted all the same."""

Make = tuple[str, Callable[[str, int], Batch]]
"""A topic, and what makes a batch for it of an outbox and a number."""


class _Of(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose day it is, as it is noted when the day begins."""

    logical_model: str
    segment: str
    version: str
    role: Role
    day: int
    reference: DriftReference


class _Counts(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What was counted, as it is noted: integers and floats of 64 bits."""

    rows: int
    counts: bytes
    moments: bytes
    latency: bytes
    errors: Errors


class _Day:
    """One day of one package."""

    def __init__(self, of: _Of) -> None:
        self.of, self.sketch = of, empty_sketch(of.reference)
        self.rows = 0
        self.latency = Latency()
        self.errors = Errors()

    def restore(self, noted: _Counts) -> None:
        """Go on from what :meth:`noted` returned."""
        counts = np.frombuffer(noted.counts, "<i8")
        ends = np.cumsum([len(column) for column in self.sketch.counts])
        for column, part in zip(self.sketch.counts, np.split(counts, ends[:-1])):
            column[:] = part
        moments = np.frombuffer(noted.moments, "<f8")
        self.sketch.moments[:] = moments.reshape(self.sketch.moments.shape)
        self.rows, self.errors = noted.rows, noted.errors
        self.latency = Latency.of(noted.latency)

    def noted(self) -> _Counts:
        """Return all that was counted."""
        counts = b"".join(column.astype("<i8").tobytes() for column in self.sketch.counts)
        moments = self.sketch.moments.astype("<f8").tobytes()
        return _Counts(self.rows, counts, moments, self.latency.content, self.errors)


class Row(NamedTuple):
    """What is counted of one prediction.

    Attributes
    ----------
    values
        Of inputs by their names, of outputs as ``output.mean``; ``None`` where missing.
    """

    digest: str
    manifest: Manifest
    role: Role
    values: Mapping[str, Any]
    latency_us: int


class Days:
    """The present day, in UTC, of each package, and what those that are to learn have learned.

    Parameters
    ----------
    notes
        Where they are kept; days that are found there go on.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._days = _restored(notes)
        self._begun: set[str] = set()
        self._changed: set[str] = set()
        self._today: Optional[int] = notes.read(TODAY, int).get("")
        self.lessons = Lessons(notes)

    def count(self, row: Row, now_ms: int) -> None:
        """Count a prediction."""
        day = self._days.get(row.digest) or self._begin(row, now_ms // DAY_MS)
        day.sketch.add({name: [value] for name, value in row.values.items()})
        day.rows += 1
        day.latency.add(row.latency_us)
        self._changed.add(row.digest)

    def erred(self, digest: str, error: float) -> None:
        """Count an error, prediction minus outcome, that came to be known."""
        day = self._days.get(digest)
        if day is None:
            return
        day.errors = plus(day.errors, error)
        column = day.sketch.reference.error
        if column is not None:
            day.sketch.add({column.name: [error]})
        self._changed.add(digest)

    def note(self) -> None:
        """Note what was counted since the last note; belongs to the transaction that is open."""
        for digest in self._begun:
            self._notes.write(DAY + digest, self._days[digest].of)
        for digest in self._changed:
            self._notes.write(COUNTS + digest, self._days[digest].noted())
        self._begun.clear()
        self._changed.clear()
        self.lessons.note()

    def unkept(self) -> None:
        """Note all days anew next time: the disk did not keep what was noted last."""
        self._begun.update(self._days)
        self._changed.update(self._days)

    def turns(self, now_ms: int) -> bool:
        """Tell whether it is another day than before."""
        return now_ms // DAY_MS != self._today

    def ended(self, now_ms: int) -> list[Make]:
        """Return what makes the batches of all days but the present one, and forget these days.

        One that is still to come was begun by a clock that ran ahead.

        It belongs to the transaction that is open, in which the batches have to be kept.
        """
        today = now_ms // DAY_MS
        before, self._today = self._today, today
        self._notes.write(TODAY, today)
        over = [digest for digest, day in self._days.items() if day.of.day != today]
        learned = [] if before is None else self.lessons.take()
        return _sketches([self._end(digest) for digest in over]) + _updates(learned)

    def _begin(self, row: Row, today: int) -> _Day:
        manifest = row.manifest
        reference = manifest.reference or NO_BINS
        of = _Of(
            manifest.logical_model, manifest.segment, manifest.version, row.role, today, reference
        )
        self._days[row.digest] = day = _Day(of)
        self._begun.add(row.digest)
        return day

    def _end(self, digest: str) -> _Day:
        self._notes.drop(DAY + digest, COUNTS + digest)
        self._begun.discard(digest)
        self._changed.discard(digest)
        return self._days.pop(digest)


def _restored(notes: Notes) -> dict[str, _Day]:
    """Return the days that were noted."""
    days = {digest: _Day(of) for digest, of in notes.read(DAY, _Of).items()}
    for digest, counts in notes.read(COUNTS, _Counts).items():
        if digest in days:
            days[digest].restore(counts)
    return days


def _sketches(days: Sequence[_Day]) -> list[Make]:
    return [("up/sketch", partial(_batch, day)) for day in days]


def _updates(learned: Sequence[Callable[[str, int], Batch]]) -> list[Make]:
    return [("up/update", make) for make in learned]


def _batch(day: _Day, outbox: str, sequence: int) -> SketchDay:
    """Return a day as it is sent."""
    return SketchDay(
        outbox=outbox,
        sequence=sequence,
        logical_model=day.of.logical_model,
        segment=day.of.segment,
        version=day.of.version,
        role=day.of.role,
        day=day.of.day,
        bins=day.sketch.reference.digest,
        rows=day.rows,
        counts=day.sketch.packed_counts,
        moments=day.sketch.packed_moments,
        slowest_us=day.latency.slowest(),
        errors=day.errors,
    )
