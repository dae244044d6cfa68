"""Training a family of segments: batches, each in one process, registered in one transaction.

A segment that cannot be trained is reported and stops no other. A run that was killed repeats
only what it had not registered: a segment whose newest version has today's recipe is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from loopcast.api import LoopcastError, Segment, Stage, Version, VersionId
from loopcast.develop.engine import LocalEngine
from loopcast.develop.source import Batch, Source, check_segment
from loopcast.iterate.registering import Ready, Registered, of_segment, ready, register
from loopcast.iterate.releasing import release_if_better
from loopcast.iterate.tasks import steps_of

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.store.home import Home

Status = Literal["better", "not better", "kept", "frozen", "failed"]


@dataclass(frozen=True, kw_only=True)
class SegmentReport:
    """What became of one segment.

    Attributes
    ----------
    status
        ``better``: its new version is champion; ``not better``: it is not; ``kept``: nothing
        changed since its newest version; ``frozen``: it was switched to keep its version, or
        off; ``failed``: see the reason.
    """

    segment: str
    status: Status
    version: VersionId | None = None
    stage: Stage | None = None
    reason: str = ""
    kpi: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    version: VersionId


@dataclass(frozen=True, kw_only=True)
class _Failed:
    reason: str


_Result: TypeAlias = Ready | _Kept | _Failed


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """A batch of segments, and all that its training needs; it may travel to another process.

    Attributes
    ----------
    newest
        The newest version of each segment that has one.
    """

    course: Course[Any]
    batch: Batch
    newest: Mapping[Segment, Version]
    day: str | None
    extra: Mapping[str, bytes]


def train_segments(
    course: Course[Any],
    source: Source,
    home: Home,
    engine: Engine,
    *,
    day: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[SegmentReport]:
    """Train every segment of a table, and yield what became of each.

    Parameters
    ----------
    day
        The first day to forecast.
    extra
        Further files of every bundle.
    advance
        Called with the number of segments of a batch when it is registered.
    """
    home.catalog.put_logical_model(course.logical_model)
    name = course.logical_model.name
    newest = home.catalog.newest(name)
    held = {s for s, setting in home.catalog.switches(name).items() if setting.switch != "on"}
    jobs = (
        _Job(
            course=course,
            batch=batch.without(held),
            newest={s: newest[s] for s in batch.segments if s in newest},
            day=day,
            extra=extra or {},
        )
        for batch in source.batches()
    )
    yield from (SegmentReport(segment=segment, status="frozen") for segment in sorted(held))
    for results in engine.map(_train_batch, jobs):
        yield from _settle(course, results, home)
        advance(len(results))


def _train_batch(job: _Job) -> dict[str, _Result]:
    """Train the segments of a batch in this process."""
    steps = steps_of(job.course.logical_model.task)
    known: dict[str, Known[Any]] = {}
    results: dict[str, _Result] = {}
    for segment, table in job.batch.tables():
        try:
            source = job.batch.describe(check_segment(segment))
            found = steps.know(
                table, job.batch.source.settings, job.course.logical_model, source, job.day
            )
        except LoopcastError as error:
            results[segment] = _Failed(reason=str(error))
            continue
        newest = job.newest.get(segment)
        if newest and newest.recipe == of_segment(job.course, segment).recipe(found.dataset):
            results[segment] = _Kept(version=newest.id)
        else:
            known[segment] = found
    made = steps.make(job.course, known, LocalEngine(), lambda _: None) if known else ()
    for segment, outcome in made:
        results[segment] = (
            _Failed(reason=str(outcome))
            if isinstance(outcome, LoopcastError)
            else ready(of_segment(job.course, segment), known[segment], outcome, job.extra)
        )
    return results


def _settle(
    course: Course[Any], results: Mapping[str, _Result], home: Home
) -> Iterator[SegmentReport]:
    """Register and release what a batch has made, and report on all of it."""
    made = [result for result in results.values() if isinstance(result, Ready)]
    items = register(course, made, home) if made else []
    stages = release_if_better(course, items, home)
    for item in items:
        yield _report(course, item, stages[item.version.id])
    for segment, result in results.items():
        if isinstance(result, _Kept):
            yield SegmentReport(segment=segment, status="kept", version=result.version)
        elif isinstance(result, _Failed):
            yield SegmentReport(segment=segment, status="failed", reason=result.reason)


def _report(course: Course[Any], item: Registered, stage: Stage) -> SegmentReport:
    failed = [gate for gate in item.made.gates if not gate.passed]
    return SegmentReport(
        segment=item.version.segment,
        status="better" if stage == "champion" else "not better",
        version=item.version.id,
        stage=stage,
        reason="; ".join(
            f"{g.gate}: expected {g.expectation}, measured {g.measured}" for g in failed
        ),
        kpi=item.made.evaluations[0].value(course.logical_model.kpi.metric),
    )


def counts(reports: Iterable[SegmentReport]) -> dict[str, int]:
    """Count reports by status, every status named."""
    found = Counter(report.status for report in reports)
    names: Sequence[Status] = ("better", "not better", "kept", "frozen", "failed")
    return {name: found[name] for name in names}
