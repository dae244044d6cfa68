"""Training a family of segments: batches, each in one process, registered in one transaction.

A segment that cannot be trained is reported and stops no other. A run that was killed repeats
only what it had not registered: a segment whose newest version has today's recipe is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from loopcast.api import LoopcastError, Segment, Stage, Version, VersionId
from loopcast.develop.engine import LocalEngine
from loopcast.develop.judged import CHAMPION
from loopcast.develop.source import Batch, Source, check_segment
from loopcast.iterate.checking import check
from loopcast.iterate.registering import (
    Examiner,
    NewVersion,
    examiner_for,
    new_version,
    of_segment,
    ready,
    register,
)
from loopcast.iterate.retrain.champion import Champions, beside_champion, trained_until
from loopcast.iterate.retrain.treatment import Treatment, retraining_files, told
from loopcast.iterate.tasks import Contest, steps_of
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Engine
    from loopcast.develop.checks.run import Checked
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.iterate.releasing import Released, Rules
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
    better
        Whether the new version is better than the champion, or there is none.
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
    champion_kpi: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Again:
    """How segments that have versions are trained again.

    Attributes
    ----------
    whole
        The course with all inputs, by which champions are judged.
    treatment
        What is done to the data.
    champions
        Who is judged beside the new versions.
    """

    whole: Course[Any]
    treatment: Treatment
    champions: Champions

    def among(self, segments: Collection[str]) -> Again:
        """Return what some segments need of it, so that no batch carries a whole family along."""
        return replace(
            self, treatment=self.treatment.among(segments), champions=self.champions.among(segments)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Work:
    """Segments that are trained in the same way.

    Attributes
    ----------
    extra
        Further files of every bundle.
    again
        ``None`` for a training that knows no champion.
    """

    course: Course[Any]
    batch: Batch
    extra: Mapping[str, bytes]
    again: Again | None = None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    version: VersionId


@dataclass(frozen=True, kw_only=True)
class _Failed:
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class _New:
    """Data that has to be trained on.

    Attributes
    ----------
    whole
        The same before a treatment.
    notes
        Files of the bundle that say what the treatment did.
    """

    known: Known[Any]
    whole: Known[Any]
    checked: Checked
    notes: Mapping[str, bytes]


_Result: TypeAlias = NewVersion | _Kept | _Failed


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """A batch of segments, and all that its training needs; it may travel to another process.

    Attributes
    ----------
    newest
        The newest version of each segment that has one.
    at
        The moment of the training; now where it is ``None``.
    """

    work: Work
    newest: Mapping[Segment, Version]
    examiner: Examiner
    day: str | None
    artifacts: str
    at: datetime | None

    @property
    def course(self) -> Course[Any]:
        return self.work.course


def train_segments(
    course: Course[Any],
    source: Source,
    home: Home,
    engine: Engine,
    rules: Rules,
    *,
    day: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    at: datetime | None = None,
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
    at
        The moment of the training; now by default.
    advance
        Called with the number of segments of a batch when it is registered.
    """
    switches = home.catalog.switches(course.logical_model.name)
    held = {s for s, setting in switches.items() if setting.switch != "on"}
    yield from (SegmentReport(segment=segment, status="frozen") for segment in sorted(held))
    works = (
        Work(course=course, batch=batch.without(held), extra=extra or {})
        for batch in source.batches()
    )
    yield from train_works(course, works, home, engine, rules, day=day, at=at, advance=advance)


def train_works(
    course: Course[Any],
    works: Iterable[Work],
    home: Home,
    engine: Engine,
    rules: Rules,
    *,
    day: str | None = None,
    at: datetime | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[SegmentReport]:
    """Train batches of segments, and yield what became of each segment.

    Parameters
    ----------
    course
        Its logical model is that of all the work.
    rules, day, at, advance
        As :func:`train_segments` has them.
    """
    home.catalog.put_logical_model(course.logical_model)
    newest = home.catalog.newest(course.logical_model.name)
    examiner = examiner_for(course, home, rules)
    jobs = (
        _Job(
            work=work,
            newest={s: newest[s] for s in work.batch.segments if s in newest},
            examiner=examiner.among(work.batch.segments),
            day=day,
            artifacts=home.artifacts_url,
            at=at,
        )
        for work in works
    )
    for results in engine.map(_train_batch, jobs):
        yield from _settle(course, results, home, rules, at)
        advance(len(results))


def _train_batch(job: _Job) -> dict[str, _Result]:
    """Train the segments of a batch in this process."""
    tables = job.work.batch.tables()
    examined = {segment: _examine(job, segment, table) for segment, table in tables}
    new = {segment: found for segment, found in examined.items() if isinstance(found, _New)}
    contests = dict(_contests(job, new)) if new else {}
    errors = {s: found for s, found in contests.items() if isinstance(found, LoopcastError)}
    judged = {s: found for s, found in contests.items() if isinstance(found, Contest)}
    steps = steps_of(job.course.logical_model.task)
    made = steps.finish(job.course, judged, LocalEngine(), lambda _: None) if judged else ()
    return {
        **{s: found for s, found in examined.items() if not isinstance(found, _New)},
        **{segment: _Failed(reason=str(error)) for segment, error in errors.items()},
        **{segment: _ready(job, segment, new[segment], outcome) for segment, outcome in made},
    }


def _contests(job: _Job, new: Mapping[str, _New]) -> Iterator[tuple[str, Contest | LoopcastError]]:
    """Judge all contenders on each segment, and the champion beside them."""
    steps = steps_of(job.course.logical_model.task)
    known = {segment: found.known for segment, found in new.items()}
    for segment, found in steps.contest(job.course, known, LocalEngine(), lambda _: None):
        if isinstance(found, LoopcastError):
            yield segment, found
        else:
            yield segment, _beside(job, segment, new[segment], found)


def _beside(job: _Job, segment: str, new: _New, contest: Contest) -> Contest:
    """Judge the champion on the same rows, where a training knows one."""
    again = job.work.again
    if again is None:
        return contest
    return beside_champion(
        contest,
        of_segment(again.whole, segment),
        new.known if again.treatment.remedy == "reweight" else new.whole,
        again.champions,
        Artifacts(job.artifacts),
    )


def _examine(job: _Job, segment: str, table: pd.DataFrame) -> _New | _Kept | _Failed:
    """Check the data of a segment, and tell whether it has to be trained."""
    course = of_segment(job.course, segment)
    steps, newest = steps_of(course.logical_model.task), job.newest.get(segment)
    try:
        source = job.work.batch.describe(check_segment(segment))
        settings = job.work.batch.source.settings
        whole = steps.know(table, settings, course.logical_model, source, job.day)
        artifacts = Artifacts(job.artifacts)
        whole = replace(whole, since=_judged_since(job, segment, whole, artifacts))
        known, notes = _treated(job.work.again, whole, segment, course.seed)
        if newest is not None and (
            newest.recipe == course.recipe(known.dataset) or _no_news(known)
        ):
            return _Kept(version=newest.id)
        checked = check(course, known, source, newest, artifacts)
    except LoopcastError as error:
        return _Failed(reason=str(error))
    return _New(known=known, whole=whole, checked=checked, notes=notes)


def _judged_since(
    job: _Job, segment: str, whole: Known[Any], artifacts: Artifacts
) -> datetime | None:
    """Return until when the champion was trained, where it is judged on what came after."""
    again, task = job.work.again, job.course.logical_model.task
    champion = again.champions.versions.get(segment) if again else None
    if champion is None or task == "forecast":
        return None
    until, end = trained_until(champion, artifacts), whole.dataset.end
    if task == "score" and until is not None and end is not None and end <= until:
        return None  # other rows of the same time
    return until


def _no_news(known: Known[Any]) -> bool:
    """Tell whether nothing came after the champion that it could be judged on."""
    end = known.dataset.end
    return known.since is not None and end is not None and end <= known.since


def _treated(
    again: Again | None, whole: Known[Any], segment: str, seed: int
) -> tuple[Known[Any], Mapping[str, bytes]]:
    if again is None:
        return whole, {}
    known, files = again.treatment.of(whole, segment, seed)
    champion = again.champions.versions.get(segment)
    named = champion.id if champion else None
    return known, retraining_files(again.treatment, named, whole.since, files)


def _ready(job: _Job, segment: str, new: _New, made: Made | LoopcastError) -> NewVersion | _Failed:
    if isinstance(made, LoopcastError):
        return _Failed(reason=str(made))
    extra, course = {**job.work.extra, **new.notes}, of_segment(job.course, segment)
    item = ready(course, new.known, made, new.checked, extra)
    return new_version(course, item, job.examiner, job.at, note=told(new.notes))


def _settle(
    course: Course[Any],
    results: Mapping[str, _Result],
    home: Home,
    rules: Rules,
    at: datetime | None,
) -> Iterator[SegmentReport]:
    """Register and release what a batch has made, and report on all of it."""
    from loopcast.iterate.releasing import release_by_policy  # SQL, which no worker needs

    items = [result for result in results.values() if isinstance(result, NewVersion)]
    if items:
        register(course, items, home)
    released = release_by_policy(course, items, home, rules, at=at) if items else {}
    for item in items:
        yield _report(course, item, released[item.version.id])
    for segment, result in results.items():
        if isinstance(result, _Kept):
            yield SegmentReport(segment=segment, status="kept", version=result.version)
        elif isinstance(result, _Failed):
            yield SegmentReport(segment=segment, status="failed", reason=result.reason)


def _report(course: Course[Any], item: NewVersion, released: Released) -> SegmentReport:
    metric, (own, *others) = course.logical_model.kpi.metric, item.evaluations
    champion = next((e for e in others if e.contender.startswith(CHAMPION)), None)
    return SegmentReport(
        segment=item.version.segment,
        status="better" if released.stage == "champion" else "not better",
        version=item.version.id,
        stage=released.stage,
        reason="; ".join(part for part in (item.note, released.reason) if part),
        kpi=own.value(metric),
        better=released.better,
        champion_kpi=champion.value(metric) if champion else None,
    )


def counts(reports: Iterable[SegmentReport]) -> dict[str, int]:
    """Count reports by status, every status named."""
    found = Counter(report.status for report in reports)
    names: Sequence[Status] = ("better", "not better", "kept", "frozen", "failed")
    return {name: found[name] for name in names}
