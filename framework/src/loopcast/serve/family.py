"""What released versions answer to the tables of a family, batch after batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    Files,
    LoopcastError,
    NotFoundError,
    PluginError,
    Segment,
    Template,
    VersionId,
)
from loopcast.deploy.bundle import open_bundle
from loopcast.deploy.limits import read_limits
from loopcast.deploy.loaded import Opened, load_model, names_of
from loopcast.deploy.lookup import Serving, look_up_all
from loopcast.deploy.region import read_region
from loopcast.develop.source import check_segment
from loopcast.serve.answered import AnsweredBatch, answered_batch
from loopcast.serve.answers import Posed, Question, Responsible, SegmentAnswers
from loopcast.serve.shadow import listen
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Engine, Version
    from loopcast.develop.course import Course
    from loopcast.develop.source import Batch
    from loopcast.plugins import PluginManager
    from loopcast.serve.rules import RuleBook
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Who:
    """Who answers for segments, and the versions that have to be asked for it.

    Attributes
    ----------
    serving
        By segment; a segment without a version is not among them.
    """

    serving: Mapping[Segment, Serving]
    versions: Mapping[VersionId, Version]

    def among(self, segments: Collection[Segment]) -> Who:
        """Return the same for some segments."""
        own = {name: self.serving[name] for name in segments if name in self.serving}
        return Who(
            serving=own, versions={v: self.versions[v] for s in own.values() for v in asked(s)}
        )


def asked(serving: Serving) -> tuple[VersionId, ...]:
    """Return the versions that are asked for a segment, those of shadows too."""
    return (*serving.candidates, *serving.shadows)


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerJob:
    """A batch of segments and what answers for them; it may travel to another process."""

    batch: Batch
    course: Course[Any]
    day: str | None
    made: datetime
    who: Who
    templates: Mapping[str, Template[Any, Any]]
    artifacts: str
    rules: Mapping[Segment, RuleBook]
    table: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Answering:
    """How the segments of a family are answered.

    Attributes
    ----------
    made
        The moment of the answers.
    day
        The first day to forecast; the next one of each segment where ``None``.
    rules
        Over the lists of a ranking. A segment of which one is wrong has that as its reason.
    table
        Whether the lists of a ranking are a table, too; other answers always are.
    """

    course: Course[Any]
    home: Home
    plugins: PluginManager
    made: datetime
    day: str | None = None
    rules: RuleBook | None = None
    table: bool = True

    def who(self, serving: Mapping[Segment, Serving], known: Iterable[Version] = ()) -> Who:
        """Return who answers, with the versions that are asked.

        Parameters
        ----------
        known
            Versions that need not be read.
        """
        found = {version.id: version for version in known}
        names = [name for own in serving.values() for name in asked(own) if name not in found]
        return Who(serving=serving, versions=found | self.home.catalog.versions_of(names))

    def job(self, batch: Batch, who: Who) -> AnswerJob:
        """Return what a process needs to know of a batch to answer it."""
        task = self.course.logical_model.task
        return AnswerJob(
            batch=batch,
            course=self.course,
            day=self.day,
            made=self.made,
            who=who.among(batch.segments),
            templates={n: t for n, t in self.plugins.templates().items() if t.task == task},
            artifacts=self.home.artifacts_url,
            rules={name: self.rules.of(name) for name in batch.segments} if self.rules else {},
            table=self.table,
        )


def answer_segments(
    answering: Answering, batches: Iterable[Batch], engine: Engine
) -> Iterator[AnsweredBatch]:
    """Ask the released versions of all segments; yield batch after batch.

    A segment without a version, or whose switch is off, has a reason in place of answers.
    """
    catalog, name = answering.home.catalog, answering.course.logical_model.name
    who = answering.who(look_up_all(catalog, name))
    jobs = (answering.job(batch, who) for batch in batches)
    yield from engine.map(answer_batch, jobs)


def answer_batch(job: AnswerJob) -> AnsweredBatch:
    """Ask those who answer for the segments of a batch."""
    return answer_tables(job, job.batch.tables())


@dataclass(frozen=True, eq=False, kw_only=True)
class AtHand:
    """What was made of a segment before it is answered, and is not made again.

    Attributes
    ----------
    data
        What its task prepares of its table; ``None`` where that is still to be done.
    files
        Of the bundle of each version that is to be loaded and may not be stored yet.
    opened
        Versions that need not be opened.
    failed
        Why its training failed, which says more where there is no version.
    """

    data: Any = None
    files: Mapping[VersionId, Files] = field(default_factory=dict)
    opened: Mapping[VersionId, Opened] = field(default_factory=dict)
    failed: str = ""


_NOTHING = AtHand()


def answer_tables(
    job: AnswerJob,
    tables: Iterable[tuple[Segment, pd.DataFrame]],
    at_hand: Mapping[Segment, AtHand] | None = None,
) -> AnsweredBatch:
    """Ask those who answer for segments whose tables are read.

    Parameters
    ----------
    at_hand
        What need not be prepared, opened or loaded, by segment.
    """
    read, known, found = iter(tables), at_hand or {}, list[SegmentAnswers[Any]]()
    while group := dict(islice(read, _at_once(job, at_hand))):
        found += _in_a_row(job, group, known)
    return answered_batch(found, job.course.logical_model, job.made, table=job.table)


_SOME = 16
"""Segments whose tables and models are in memory at once, where no training has left all there."""


def _at_once(job: AnswerJob, at_hand: Mapping[Segment, AtHand] | None) -> int | None:
    """Return how many segments are answered in a row: one where that is a single step."""
    if len(_task(job).STEPS) == 1:
        return 1
    return _SOME if at_hand is None else None


def _in_a_row(
    job: AnswerJob, tables: Mapping[Segment, pd.DataFrame], known: Mapping[Segment, AtHand]
) -> list[SegmentAnswers[Any]]:
    """Ask those who answer for some segments.

    A step that is taken for all of them in a row finds its code in the caches of the processor.
    Shadows come last, so that whatever they do to what they share with those who are served comes
    too late.
    """
    artifacts = Artifacts(job.artifacts)
    posed = [
        _posed(job, segment, table, known.get(segment, _NOTHING), artifacts)
        for segment, table in tables.items()
    ]
    found = posed
    for step in _task(job).STEPS:
        found = [_after(step, item) for item in found]
    return [
        _with_shadows(job, item, asked.answers, known.get(item.segment, _NOTHING), artifacts)
        for item, asked in zip(found, posed, strict=True)
    ]


def _task(job: AnswerJob) -> Any:
    """Return the module that answers for the task: ``prepare``, and the ``STEPS`` after it."""
    return import_module(f"loopcast.serve.{job.course.logical_model.task}")


def _posed(
    job: AnswerJob, segment: Segment, table: pd.DataFrame, at_hand: AtHand, artifacts: Artifacts
) -> SegmentAnswers[Any]:
    """Return what is to be answered for a segment."""
    serving, model = job.who.serving.get(segment), job.course.logical_model
    question = Question(
        table=table,
        source=job.batch.describe(segment),
        settings=job.batch.source.settings,
        course=job.course,
        day=job.day,
        made=job.made,
        rules=job.rules.get(segment),
    )
    task = _task(job)
    try:
        if serving is None:
            check_segment(segment)  # a name or a table that cannot be used says more
            task.prepare(question)
            why = f": {at_hand.failed}" if at_hand.failed else "; train it first"
            raise NotFoundError(f"{model.name}/{segment} has no version{why}")
        serving.version()
        started = time.perf_counter()
        responsible = _responsible(job, serving, at_hand, artifacts)
        data = task.prepare(question) if at_hand.data is None else at_hand.data
        seconds = time.perf_counter() - started
    except LoopcastError as error:
        return SegmentAnswers(segment=segment, serving=serving, reason=str(error))
    posed = Posed(question=question, data=data, responsible=responsible)
    return SegmentAnswers(segment=segment, serving=serving, answers=posed, seconds=seconds)


def _after(step: Callable[[Any], Any], item: SegmentAnswers[Any]) -> SegmentAnswers[Any]:
    """Take a step towards the answers of a segment, where none has failed before."""
    if item.answers is None:
        return item
    started = time.perf_counter()
    try:
        found = step(item.answers)
    except LoopcastError as error:
        return SegmentAnswers(segment=item.segment, serving=item.serving, reason=str(error))
    return replace(item, answers=found, seconds=item.seconds + time.perf_counter() - started)


def _with_shadows(
    job: AnswerJob, item: SegmentAnswers[Any], posed: Any, at_hand: AtHand, artifacts: Artifacts
) -> SegmentAnswers[Any]:
    """Add what its shadows answer to what a segment was posed, where it has been answered."""
    serving = item.serving
    if item.answers is None or serving is None or not serving.shadows:
        return item

    def ask(version: VersionId) -> Any:
        alone = _responsible(job, serving.alone(version), at_hand, artifacts)
        found: Any = replace(posed, responsible=alone)
        for step in _task(job).STEPS:
            found = step(found)
        return found

    return replace(item, heard=listen(serving.shadows, ask))


def _responsible(
    job: AnswerJob, serving: Serving, at_hand: AtHand, artifacts: Artifacts
) -> Responsible:
    task, versions = job.course.logical_model.task, job.who.versions
    # A forecast adds up over its series, so that one version answers for all of them.
    names = (serving.version(),) if task == "forecast" else serving.candidates
    find = partial(_template, job.templates)

    def opened_of(name: VersionId) -> Opened:
        if name in at_hand.opened:
            return at_hand.opened[name]
        files = at_hand.files.get(name) or open_bundle(artifacts, versions[name].manifest).files
        model = load_model(task, files, find(versions[name].template), find)
        return Opened(files=files, model=model, names=names_of(task, files))

    opened = {name: opened_of(name) for name in names}
    files = {name: own.files for name, own in opened.items()}
    limits = {} if task == "forecast" else {n: read_limits(files[n], find) for n in names}
    return Responsible(
        serving=serving,
        opened=opened,
        limits=limits,
        regions={n: region for n in names if (region := read_region(files[n], find))},
    )


def _template(templates: Mapping[str, Template[Any, Any]], name: str) -> Template[Any, Any]:
    if name not in templates:
        raise PluginError(
            f"no plugin offers the template {name!r}; 'loopcast plugins' says which are installed"
        )
    return templates[name]
