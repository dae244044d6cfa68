"""What each day was like, counted in the bins of the package's reference, and what it taught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Optional

from loopcast_edge.agent.learning import Lessons
from loopcast_edge.agent.tally import Latency, plus
from loopcast_edge.wire import Batch, DaySketch, Errors, Manifest, SketchDay, empty_sketch
from loopcast_edge.wire.messages import Role

DAY_MS = 86_400_000

Make = tuple[str, Callable[[str, int], Batch]]
"""A topic, and what makes a batch for it of an outbox and a number."""


class _Day:
    """One day of one package."""

    def __init__(self, manifest: Manifest, role: Role, day: int, sketch: DaySketch) -> None:
        self.manifest, self.role, self.day, self.sketch = manifest, role, day, sketch
        self.rows = 0
        self.latency = Latency()
        self.errors = Errors()


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
    """The present day, in UTC, of each package that has a reference, or is to learn."""

    def __init__(self) -> None:
        self._days: dict[str, _Day] = {}
        self._today: Optional[int] = None
        self.lessons = Lessons()

    def count(self, row: Row, now_ms: int) -> None:
        """Count a prediction."""
        reference = row.manifest.reference
        if reference is None:
            return
        day = self._days.get(row.digest)
        if day is None:
            day = _Day(row.manifest, row.role, now_ms // DAY_MS, empty_sketch(reference))
            self._days[row.digest] = day
        day.sketch.add({name: [value] for name, value in row.values.items()})
        day.rows += 1
        day.latency.add(row.latency_us)

    def erred(self, digest: str, error: float) -> None:
        """Count an error, prediction minus outcome, that came to be known."""
        day = self._days.get(digest)
        if day is None:
            return
        day.errors = plus(day.errors, error)
        column = day.sketch.reference.error
        if column is not None:
            day.sketch.add({column.name: [error]})

    def ended(self, now_ms: int) -> list[Make]:
        """Return what makes the batches of days that are over."""
        before, self._today = self._today, now_ms // DAY_MS
        over = [digest for digest, day in self._days.items() if day.day < self._today]
        learned = self.lessons.take() if before not in (None, self._today) else []
        return _sketches([self._days.pop(digest) for digest in over]) + _updates(learned)

    def take(self) -> list[Make]:
        """Return what makes the batches of all that was counted; counting begins anew."""
        days, self._days = self._days, {}
        return _sketches(list(days.values())) + _updates(self.lessons.take())


def _sketches(days: Sequence[_Day]) -> list[Make]:
    return [("up/sketch", partial(_batch, day)) for day in days]


def _updates(learned: Sequence[Callable[[str, int], Batch]]) -> list[Make]:
    return [("up/update", make) for make in learned]


def _batch(day: _Day, outbox: str, sequence: int) -> SketchDay:
    """Return a day as it is sent."""
    return SketchDay(
        outbox=outbox,
        sequence=sequence,
        logical_model=day.manifest.logical_model,
        segment=day.manifest.segment,
        version=day.manifest.version,
        role=day.role,
        day=day.day,
        bins=day.sketch.reference.digest,
        rows=day.rows,
        counts=day.sketch.packed_counts,
        moments=day.sketch.packed_moments,
        slowest_us=day.latency.slowest(),
        errors=day.errors,
    )
