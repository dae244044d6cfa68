"""Training a family of segments: batches, each in one process, registered some at a time.

A segment that cannot be trained is reported and stops no other. A run that was killed repeats
only what it had not stored: a segment whose newest version has today's recipe is kept, and so is
one that was tried by it beside today's champion and made no version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from loopcast.api import Attempt, Segment, Stage, VersionId
from loopcast.develop.source import Source
from loopcast.iterate.batch import Failed, Job, Kept, Result, Unfinished, Work, train_batch
from loopcast.iterate.new_version import NewVersion
from loopcast.iterate.past import Past
from loopcast.iterate.registering import Examiner, examiner_for, register
from loopcast.iterate.verdict import kpi_of_champion

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.develop.course import Course
    from loopcast.iterate.releasing import Released, Rules
    from loopcast.store.home import Home

ItemT = TypeVar("ItemT")

AT_ONCE = 8
"""Batches that are settled together, at most."""
SOON = 2.0
"""Seconds that a batch waits to be settled with the next."""

Status = Literal["better", "waiting", "not better", "kept", "frozen", "failed"]


@dataclass(frozen=True, kw_only=True)
class SegmentReport:
    """What became of one segment.

    Attributes
    ----------
    status
        ``better``: its new version is champion; ``waiting``: it passed its gates, and a person
        decides; ``not better``: it is neither, or was not worth making; ``kept``: nothing changed
        since its newest training; ``frozen``: it was switched to keep its version, or off;
        ``failed``: see the reason.
    reason
        Why it failed, or why its new version is not champion, or was not made.
    better
        Whether the new version is better than the champion, or there is none.
    stopped
        Whether a gate of the training stopped what was not made a version.
    champion_kpi
        The champion's, on the same rows, where it was judged beside the new version.
    """

    segment: str
    status: Status
    version: VersionId | None = None
    stage: Stage | None = None
    reason: str = ""
    kpi: float | None = None
    better: bool = False
    stopped: bool = False
    champion_kpi: float | None = None


def train_segments(
    training: Training,
    source: Source,
    engine: Engine,
    *,
    extra: Mapping[str, bytes] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[SegmentReport]:
    """Train every segment of a table, and yield what became of each.

    Parameters
    ----------
    extra
        Further files of every bundle.
    advance
        Called with the number of segments that are settled, as they are.
    """
    course = training.course
    switches = training.home.catalog.switches(course.logical_model.name)
    held = {s for s, setting in switches.items() if setting.switch != "on"}
    yield from (SegmentReport(segment=segment, status="frozen") for segment in sorted(held))
    works = (
        Work(course=course, batch=batch.without(held), extra=extra or {})
        for batch in source.batches()
    )
    for reports in train_works(training, works, engine):
        yield from reports
        advance(len(reports))


def train_works(
    training: Training, works: Iterable[Work], engine: Engine
) -> Iterator[tuple[SegmentReport, ...]]:
    """Train batches of segments, and yield what became of their segments as it is settled."""
    for group in together(engine.map(train_batch, map(training.job, works))):
        yield training.settle({s: result for results in group for s, result in results.items()})


def together(done: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    """Yield what is done in quick succession at once, in order.

    To register and release takes some eighty statements, however many versions there are. What is
    slow waits for nothing else, so that no more than :data:`SOON` of work is lost where a run is
    killed, and what was done is yielded before an error that comes after it.
    """
    group: list[ItemT] = []
    began = monotonic()
    try:
        for item in done:
            group.append(item)
            if len(group) == AT_ONCE or monotonic() - began > SOON:
                yield group
                group, began = [], monotonic()
    except Exception:
        if group:
            yield group
        raise
    if group:
        yield group


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """What batches of a family are trained by, wherever that is, and what becomes of them here.

    Attributes
    ----------
    course
        Its logical model is that of all the work.
    rules
        By what versions are released.
    day
        The first day to forecast.
    at
        The moment of the training; now where ``None``.
    past
        What the catalog says of the segments.
    """

    course: Course[Any]
    home: Home
    rules: Rules
    day: str | None
    at: datetime | None
    past: Past
    examiner: Examiner

    def job(self, work: Work) -> Job:
        """Return what a process needs to know to train some segments."""
        segments, newest = work.batch.segments, self.past.newest
        return Job(
            work=work,
            newest={s: newest[s] for s in segments if s in newest},
            tried=_tried(work, self.past.attempts),
            examiner=self.examiner.among(segments),
            day=self.day,
            artifacts=self.home.artifacts_url,
            at=self.at,
        )

    def settle(self, results: Mapping[str, Result]) -> tuple[SegmentReport, ...]:
        """Register and release what batches have made, keep what they tried, and report on it."""
        from loopcast.iterate.releasing import release_by_policy  # SQL, which no worker needs

        items = [result for result in results.values() if isinstance(result, NewVersion)]
        attempts = [result.attempt for result in results.values() if isinstance(result, Unfinished)]
        if attempts:
            self.home.catalog.put_attempts(attempts)
        released: Mapping[VersionId, Released] = {}
        if items:
            register(self.course, items, self.home)
            released = release_by_policy(self.course, items, self.home, self.rules, at=self.at)
        return tuple(
            _told(self.course, segment, result, released) for segment, result in results.items()
        )


def training_of(
    course: Course[Any],
    home: Home,
    rules: Rules,
    past: Past,
    *,
    day: str | None = None,
    at: datetime | None = None,
) -> Training:
    """Return by what segments of a family are trained.

    Parameters
    ----------
    rules, past, day, at
        As :class:`Training` has them.
    """
    home.catalog.put_logical_model(course.logical_model)
    return Training(
        course=course,
        home=home,
        rules=rules,
        day=day,
        at=at,
        past=past,
        examiner=examiner_for(course, rules, past.champions),
    )


def _tried(work: Work, attempts: Mapping[Segment, Attempt]) -> dict[Segment, Attempt]:
    """Return what was tried before beside those who still serve."""
    if work.again is None:
        return {}
    champions = work.again.champions.versions
    names = {s: champions[s].id if s in champions else None for s in work.batch.segments}
    return {
        segment: attempts[segment]
        for segment, champion in names.items()
        if segment in attempts and attempts[segment].champion == champion
    }


def _told(
    course: Course[Any], segment: str, result: Result, released: Mapping[VersionId, Released]
) -> SegmentReport:
    """Return what is said of a segment."""
    match result:
        case NewVersion():
            return _report(course, result, released[result.version.id])
        case Unfinished():
            return _unfinished(result)
        case Kept():
            return SegmentReport(
                segment=segment, status="kept", version=result.version, reason=result.reason
            )
        case Failed():
            return SegmentReport(segment=segment, status="failed", reason=result.reason)


def _unfinished(result: Unfinished) -> SegmentReport:
    attempt = result.attempt
    return SegmentReport(
        segment=attempt.segment,
        status="not better",
        reason=_joined(result.note, attempt.reason),
        kpi=attempt.kpi,
        stopped=result.stopped,
        champion_kpi=attempt.champion_kpi,
    )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _report(course: Course[Any], item: NewVersion, released: Released) -> SegmentReport:
    metric = course.logical_model.kpi.metric
    return SegmentReport(
        segment=item.version.segment,
        status=_status(released),
        version=item.version.id,
        stage=released.stage,
        reason=_joined(item.note, released.reason),
        kpi=item.evaluations[0].value(metric),
        better=released.better,
        champion_kpi=kpi_of_champion(item.evaluations, metric),
    )


def _status(released: Released) -> Status:
    if released.stage == "champion":
        return "better"
    open_ = released.better or released.doubtful
    asks = released.stage == "staging" or (released.stage == "challenger" and open_)
    return "waiting" if asks else "not better"


def counts(reports: Iterable[SegmentReport]) -> dict[str, int]:
    """Count reports by status, every status named."""
    found = Counter(report.status for report in reports)
    return {name: found[name] for name in get_args(Status)}
