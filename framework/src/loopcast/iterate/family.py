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
from loopcast.iterate.checking import check
from loopcast.iterate.registering import Ready, Registered, of_segment, ready, register
from loopcast.iterate.releasing import Released, Rules, release_by_policy
from loopcast.iterate.tasks import steps_of
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Engine
    from loopcast.develop.checks.run import Checked
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.iterate.tasks import Made
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
    reason
        Why it failed, or why its new version is not champion.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class _New:
    """Data that has to be trained on."""

    known: Known[Any]
    checked: Checked


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
    artifacts: str


def train_segments(
    course: Course[Any],
    source: Source,
    home: Home,
    engine: Engine,
    rules: Rules,
    *,
    day: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[SegmentReport]:
    """Train every segment of a table, and yield what became of each.

    Parameters
    ----------
    rules
        By what versions are released.
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
            artifacts=home.artifacts_url,
        )
        for batch in source.batches()
    )
    yield from (SegmentReport(segment=segment, status="frozen") for segment in sorted(held))
    for results in engine.map(_train_batch, jobs):
        yield from _settle(course, results, home, rules)
        advance(len(results))


def _train_batch(job: _Job) -> dict[str, _Result]:
    """Train the segments of a batch in this process."""
    examined = {segment: _examine(job, segment, table) for segment, table in job.batch.tables()}
    new = {segment: found for segment, found in examined.items() if isinstance(found, _New)}
    known = {segment: found.known for segment, found in new.items()}
    steps = steps_of(job.course.logical_model.task)
    made = steps.make(job.course, known, LocalEngine(), lambda _: None) if known else ()
    return {
        **{s: found for s, found in examined.items() if not isinstance(found, _New)},
        **{segment: _ready(job, segment, new[segment], outcome) for segment, outcome in made},
    }


def _examine(job: _Job, segment: str, table: pd.DataFrame) -> _New | _Kept | _Failed:
    """Check the data of a segment, and tell whether it has to be trained."""
    course = of_segment(job.course, segment)
    steps, newest = steps_of(course.logical_model.task), job.newest.get(segment)
    try:
        source = job.batch.describe(check_segment(segment))
        settings = job.batch.source.settings
        known = steps.know(table, settings, course.logical_model, source, job.day)
        if newest is not None and newest.recipe == course.recipe(known.dataset):
            return _Kept(version=newest.id)
        artifacts = Artifacts(job.artifacts)
        checked = check(course, known, source, newest, artifacts)
    except LoopcastError as error:
        return _Failed(reason=str(error))
    return _New(known=known, checked=checked)


def _ready(job: _Job, segment: str, new: _New, made: Made | LoopcastError) -> Ready | _Failed:
    if isinstance(made, LoopcastError):
        return _Failed(reason=str(made))
    return ready(of_segment(job.course, segment), new.known, made, new.checked, job.extra)


def _settle(
    course: Course[Any], results: Mapping[str, _Result], home: Home, rules: Rules
) -> Iterator[SegmentReport]:
    """Register and release what a batch has made, and report on all of it."""
    made = [result for result in results.values() if isinstance(result, Ready)]
    items = register(course, made, home) if made else []
    released = release_by_policy(course, items, home, rules) if items else {}
    for item in items:
        yield _report(course, item, released[item.version.id])
    for segment, result in results.items():
        if isinstance(result, _Kept):
            yield SegmentReport(segment=segment, status="kept", version=result.version)
        elif isinstance(result, _Failed):
            yield SegmentReport(segment=segment, status="failed", reason=result.reason)


def _report(course: Course[Any], item: Registered, released: Released) -> SegmentReport:
    return SegmentReport(
        segment=item.version.segment,
        status="better" if released.stage == "champion" else "not better",
        version=item.version.id,
        stage=released.stage,
        reason=released.reason,
        kpi=item.made.evaluations[0].value(course.logical_model.kpi.metric),
    )


def counts(reports: Iterable[SegmentReport]) -> dict[str, int]:
    """Count reports by status, every status named."""
    found = Counter(report.status for report in reports)
    names: Sequence[Status] = ("better", "not better", "kept", "frozen", "failed")
    return {name: found[name] for name in names}
