"""What released versions answer to the tables of a family, batch after batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    LoopcastError,
    NotFoundError,
    PluginError,
    Segment,
    Template,
    VersionId,
)
from loopcast.deploy.bundle import open_bundle
from loopcast.deploy.limits import read_limits
from loopcast.deploy.loaded import load_model
from loopcast.deploy.lookup import Serving, look_up_all
from loopcast.deploy.region import read_region
from loopcast.serve.answered import AnsweredBatch, answered_batch
from loopcast.serve.answers import Question, Responsible, SegmentAnswers
from loopcast.serve.shadow import listen
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Engine, Version
    from loopcast.develop.course import Course
    from loopcast.develop.source import Batch, Source
    from loopcast.plugins import PluginManager
    from loopcast.serve.rules import RuleBook
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """A batch of segments and what answers for them; it may travel to another process."""

    batch: Batch
    course: Course[Any]
    day: str | None
    made: datetime
    serving: Mapping[Segment, Serving]
    versions: Mapping[VersionId, Version]
    templates: Mapping[str, Template[Any, Any]]
    artifacts: str
    rules: Mapping[Segment, RuleBook]


def answer_segments(
    course: Course[Any],
    source: Source,
    home: Home,
    plugins: PluginManager,
    engine: Engine,
    *,
    made: datetime,
    day: str | None = None,
    rules: RuleBook | None = None,
) -> Iterator[AnsweredBatch]:
    """Ask the released versions of every segment of a table; yield batch after batch.

    A segment without a version, or whose switch is off, has a reason in place of answers.

    Parameters
    ----------
    made
        The moment of the answers.
    day
        The first day to forecast; the next one of each segment where ``None``.
    rules
        Over the lists of a ranking. A segment of which one is wrong has that as its reason.
    """
    model = course.logical_model
    serving = look_up_all(home.catalog, model.name)
    versions = home.catalog.versions_of([v for s in serving.values() for v in _asked(s)])
    templates = {n: t for n, t in plugins.templates().items() if t.task == model.task}

    def job(batch: Batch) -> _Job:
        own = {name: serving[name] for name in batch.segments if name in serving}
        return _Job(
            batch=batch,
            course=course,
            day=day,
            made=made,
            serving=own,
            versions={v: versions[v] for s in own.values() for v in _asked(s)},
            templates=templates,
            artifacts=home.artifacts_url,
            rules={name: rules.of(name) for name in batch.segments} if rules else {},
        )

    yield from engine.map(_answer_batch, map(job, source.batches()))


def _asked(serving: Serving) -> tuple[VersionId, ...]:
    return (*serving.candidates, *serving.shadows)


def _answer_batch(job: _Job) -> AnsweredBatch:
    artifacts = Artifacts(job.artifacts)
    found = [_answer(job, segment, table, artifacts) for segment, table in job.batch.tables()]
    return answered_batch(found, job.course.logical_model, job.made)


def _answer(
    job: _Job, segment: Segment, table: pd.DataFrame, artifacts: Artifacts
) -> SegmentAnswers[Any]:
    serving, model = job.serving.get(segment), job.course.logical_model
    question = Question(
        table=table,
        source=job.batch.describe(segment),
        settings=job.batch.source.settings,
        course=job.course,
        day=job.day,
        rules=job.rules.get(segment),
    )
    module = import_module(f"loopcast.serve.{model.task}")

    def ask(who: Serving) -> Any:
        return module.answer(question, _responsible(job, who, artifacts))

    try:
        if serving is None:
            raise NotFoundError(f"{model.name}/{segment} has no version; train it first")
        serving.version()
        started = time.perf_counter()
        found = ask(serving)
        seconds = time.perf_counter() - started
    except LoopcastError as error:
        return SegmentAnswers(segment=segment, serving=serving, reason=str(error))
    heard = listen(serving.shadows, lambda version: ask(serving.alone(version)))
    return SegmentAnswers(
        segment=segment, serving=serving, answers=found, seconds=seconds, heard=heard
    )


def _responsible(job: _Job, serving: Serving, artifacts: Artifacts) -> Responsible:
    task = job.course.logical_model.task
    # A forecast adds up over its series, so that one version answers for all of them.
    names = (serving.version(),) if task == "forecast" else serving.candidates
    files = {n: open_bundle(artifacts, job.versions[n].manifest).files for n in names}
    find = partial(_template, job.templates)
    limits = {} if task == "forecast" else {n: read_limits(files[n], find) for n in names}
    return Responsible(
        serving=serving,
        models={n: load_model(task, files[n], find(job.versions[n].template), find) for n in names},
        files=files,
        limits=limits,
        regions={n: region for n in names if (region := read_region(files[n], find))},
    )


def _template(templates: Mapping[str, Template[Any, Any]], name: str) -> Template[Any, Any]:
    if name not in templates:
        raise PluginError(
            f"no plugin offers the template {name!r}; 'loopcast plugins' says which are installed"
        )
    return templates[name]
