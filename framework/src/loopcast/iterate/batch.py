"""Training a batch of segments in one process, which may be another one than stores it.

Nothing is registered here, and no database is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from loopcast.api import Attempt, Dataset, LoopcastError, Segment, Version, VersionId
from loopcast.develop.engine import LocalEngine
from loopcast.develop.source import Batch, check_segment
from loopcast.iterate.checking import check, is_whole, previous_bundle
from loopcast.iterate.new_version import NewVersion
from loopcast.iterate.registering import Examiner, new_version, of_segment, ready
from loopcast.iterate.retrain.champion import (
    Champions,
    beside_champion,
    followed,
    judged_since,
)
from loopcast.iterate.retrain.treatment import Treatment, retraining_files, told
from loopcast.iterate.tasks import Champion, Contest, steps_of
from loopcast.iterate.verdict import Verdict, failures, kpi_of_champion
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.develop.checks.run import Checked
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.iterate.tasks import Made
    from loopcast.settings.retrain import Keep


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
    keep
        What becomes a version.
    """

    whole: Course[Any]
    treatment: Treatment
    champions: Champions
    keep: Keep = "all"

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
class Kept:
    """A segment that there is nothing new about.

    Attributes
    ----------
    version
        Its newest; ``None`` where it has none.
    reason
        Where there is more to say.
    """

    version: VersionId | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A segment that could not be trained."""

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
    champion
        Beside whom it is judged, as :meth:`Champions.load` returns it.
    """

    known: Known[Any]
    whole: Known[Any]
    checked: Checked
    notes: Mapping[str, bytes]
    champion: Champion | Verdict | None

    def trained(self, result: Result, model: Any = None) -> Trained:
        """Return what became of it."""
        champion = self.champion if isinstance(self.champion, Champion) else None
        return Trained(result=result, known=self.whole, champion=champion, model=model)


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A segment whose candidate was judged and is not worth a version.

    Attributes
    ----------
    stopped
        Whether a gate of the training says so, whatever the champion does.
    note
        What a remedy did to its data, for the report.
    """

    attempt: Attempt
    stopped: bool
    note: str


Result: TypeAlias = NewVersion | Kept | Failed | Unfinished


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """A batch of segments, and all that its training needs; it may travel to another process.

    Attributes
    ----------
    newest
        The newest version of each segment that has one.
    tried
        What was tried beside the champions of today and made no version, by segment.
    at
        The moment of the training; now where it is ``None``.
    """

    work: Work
    newest: Mapping[Segment, Version]
    tried: Mapping[Segment, Attempt]
    examiner: Examiner
    day: str | None
    artifacts: str
    at: datetime | None

    @property
    def course(self) -> Course[Any]:
        """The course of its training."""
        return self.work.course


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """What became of a segment, with what of it is in memory.

    Attributes
    ----------
    known
        What its table says, with all inputs; ``None`` where that cannot be used.
    champion
        Beside whom it was judged.
    model
        Of the new version, as its files give it back; ``None`` where there is none, and of a
        forecast.
    """

    result: Result
    known: Known[Any] | None = None
    champion: Champion | None = None
    model: Any = None


def train_batch(job: Job) -> dict[str, Result]:
    """Train the segments of a batch, and return what became of each."""
    return {s: trained.result for s, trained in train(job, job.work.batch.tables()).items()}


def train(job: Job, tables: Iterable[tuple[str, pd.DataFrame]]) -> dict[str, Trained]:
    """Train segments whose tables are read, and return what became of each.

    A step that is taken for all of them in a row finds its code in the caches of the processor.
    """
    artifacts = Artifacts(job.artifacts)
    known = {segment: _know(job, segment, table) for segment, table in tables}
    examined = {s: _examine(job, s, whole, artifacts) for s, whole in known.items()}
    new = {segment: found for segment, found in examined.items() if isinstance(found, _New)}
    contests = dict(_contests(job, new)) if new else {}
    weighed = {segment: _weigh(job, segment, new[segment], c) for segment, c in contests.items()}
    worth = {segment: found for segment, found in weighed.items() if isinstance(found, Contest)}
    steps = steps_of(job.course.logical_model.task)
    made = steps.finish(job.course, worth, LocalEngine(), lambda _: None) if worth else ()
    return {
        **{s: found for s, found in examined.items() if isinstance(found, Trained)},
        **{s: new[s].trained(f) for s, f in weighed.items() if not isinstance(f, Contest)},
        **{segment: _ready(job, segment, new[segment], outcome) for segment, outcome in made},
    }


def _weigh(
    job: Job, segment: str, new: _New, contest: Contest | LoopcastError
) -> Contest | Unfinished | Failed:
    """Return a contest that is worth finishing, or what is to be said of another one."""
    if isinstance(contest, LoopcastError):
        return Failed(reason=str(contest))
    stopped, verdict = failures(contest.gates), contest.verdict
    lost = stopped or (verdict.reason if verdict and not verdict.worth else "")
    chosen, again = job.course.preparation, job.work.again
    # Whether an alternative is wanted is no question of the KPI, and a person's to answer.
    if not lost or again is None or again.keep == "all" or (chosen and chosen.alternative):
        return contest
    attempt = _attempt(of_segment(job.course, segment), new.known.dataset, contest, job.at, lost)
    return Unfinished(attempt=attempt, stopped=bool(stopped), note=told(new.notes))


def _attempt(
    course: Course[Any], dataset: Dataset, contest: Contest, at: datetime | None, reason: str
) -> Attempt:
    metric, own = course.logical_model.kpi.metric, contest.evaluations[0]
    return Attempt(
        logical_model=course.logical_model.name,
        segment=course.segment,
        at=at or datetime.now(UTC),
        recipe=course.recipe(dataset),
        dataset=dataset.fingerprint,
        protocol=own.protocol,
        champion=contest.verdict.champion if contest.verdict else None,
        kpi=own.value(metric),
        champion_kpi=kpi_of_champion(contest.evaluations, metric),
        reason=reason,
    )


def _contests(job: Job, new: Mapping[str, _New]) -> Iterator[tuple[str, Contest | LoopcastError]]:
    """Judge all contenders on each segment, and the champion beside them."""
    steps = steps_of(job.course.logical_model.task)
    known = {segment: found.known for segment, found in new.items()}
    for segment, found in steps.contest(job.course, known, LocalEngine(), lambda _: None):
        if isinstance(found, LoopcastError):
            yield segment, found
        else:
            yield segment, _beside(job, segment, new[segment], found)


def _beside(job: Job, segment: str, new: _New, contest: Contest) -> Contest:
    """Judge the champion on the same rows, where a training knows one."""
    again = job.work.again
    if again is None:
        return contest
    return beside_champion(
        contest,
        of_segment(again.whole, segment),
        new.known if again.treatment.remedy == "reweight" else new.whole,
        new.champion,
    )


def _know(job: Job, segment: str, table: pd.DataFrame) -> Known[Any] | LoopcastError:
    """Return what the table of a segment says, or what is wrong with it."""
    batch, model = job.work.batch, job.course.logical_model
    know, settings = steps_of(model.task).know, batch.source.settings
    try:
        source = batch.describe(check_segment(segment))
        return know(table, settings, model, source, day=job.day, at=job.at)
    except LoopcastError as error:
        return error


def _examine(
    job: Job, segment: str, whole: Known[Any] | LoopcastError, artifacts: Artifacts
) -> _New | Trained:
    """Check the data of a segment, and tell whether it has to be trained."""
    if isinstance(whole, LoopcastError):
        return Trained(result=Failed(reason=str(whole)))
    course, again = of_segment(job.course, segment), job.work.again
    task, newest = course.logical_model.task, job.newest.get(segment)
    try:
        bundle = again.champions.bundle(segment, artifacts) if again else None
        since = judged_since(bundle, task, whole.dataset)
        whole = replace(whole, since=since, tried=_tried(job, segment))
        known, notes = _treated(again, whole, segment, course.seed)
        previous = previous_bundle(newest, bundle, artifacts)
        lost = any(isinstance(stored, LoopcastError) for stored in (bundle, previous))
        kept = None if lost else _kept(job, course, known)
        # Who is told that a file was changed trains again, on the same data if need be.
        if kept is not None and (again is not None or is_whole(previous)):
            return Trained(result=kept, known=whole)
        checked = check(course, known, job.work.batch.describe(segment), previous)
        champion = again.champions.load(segment, bundle, task) if again else None
    except LoopcastError as error:
        return Trained(result=Failed(reason=str(error)))
    known = followed(known, course, champion)
    return _New(known=known, whole=whole, checked=checked, notes=notes, champion=champion)


def _tried(job: Job, segment: str) -> datetime | None:
    """Return when there was last a training beside the champion that gave nothing in its place."""
    champion = job.work.again.champions.versions.get(segment) if job.work.again else None
    if champion is None:
        return None
    made, tried = job.newest[segment].created, job.tried.get(segment)
    last = max(made, tried.at) if tried else made
    return last if last > champion.created else None


def _kept(job: Job, course: Course[Any], known: Known[Any]) -> Kept | None:
    """Tell whether a segment was trained or tried on the same data, or has no news."""
    newest, tried = job.newest.get(course.segment), job.tried.get(course.segment)
    again = job.work.again
    if newest is not None and (_repeats(newest, course, known) or _no_news(known)):
        return Kept(version=newest.id)
    if again and again.keep != "all" and tried and _repeats(tried, course, known):
        reason = f"tried on {tried.at:%Y-%m-%d} on the same data, not kept: {tried.reason}"
        return Kept(version=newest.id if newest else None, reason=reason)
    return None


def _repeats(last: Version | Attempt, course: Course[Any], known: Known[Any]) -> bool:
    """Tell whether a training would give again what the last one gave."""
    same = last.dataset == known.dataset.fingerprint  # else so is no recipe, which takes longer
    return same and last.recipe == course.recipe(known.dataset)


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
    return known, retraining_files(again.treatment, named, whole, files)


def _ready(job: Job, segment: str, new: _New, made: Made | LoopcastError) -> Trained:
    if isinstance(made, LoopcastError):
        return new.trained(Failed(reason=str(made)))
    extra, course = {**job.work.extra, **new.notes}, of_segment(job.course, segment)
    item = ready(course, new.known, made, new.checked, extra)
    version = new_version(course, item, job.examiner, job.at, note=told(new.notes))
    return new.trained(version, made.model)
