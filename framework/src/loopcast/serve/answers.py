"""What released versions answer to the tables of a family, batch after batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import (
    LoopcastError,
    NotFoundError,
    PluginError,
    Segment,
    Template,
    VersionId,
)
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.limits import Limits, read_limits
from loopcast.deploy.loaded import load_model
from loopcast.deploy.lookup import Serving, look_up_all
from loopcast.deploy.region import read_region
from loopcast.develop.applicability import beyond
from loopcast.develop.beyond import Beyond, Reason
from loopcast.serve.shadow import Heard, listen
from loopcast.serve.treatment import Treated, treat
from loopcast.store.artifacts import Artifacts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api import Applicability, Engine, Version
    from loopcast.develop.checks.inputs import Column
    from loopcast.develop.course import Course
    from loopcast.develop.score.region import Region
    from loopcast.develop.source import Batch, Source
    from loopcast.plugins import PluginManager
    from loopcast.serve.rules import RuleBook
    from loopcast.settings import DataSettings
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """What one segment was answered.

    Attributes
    ----------
    table
        For people and systems; each row says which version answered.
    key : ndarray, shape (n,)
        Of each event.
    version : ndarray, shape (n,)
        Which version answered.
    action : array of str, shape (n,)
        What was done, as the event log has it.
    outputs, inputs, explanation : mapping of str to ndarray, shape (n,)
        As the event log has them.
    labelling : ndarray, shape (n,), or 1
        Probability with which the outcome of each row will be known.
    ruled
        What rules did to the lists of a ranking: entity, item, place, rule and effect.
    about
        What the summary says of them, ready for JSON.
    newcomer
        Of a ranking: what an entity is answered that was never seen, as in ``table``.
    """

    table: pd.DataFrame
    key: NDArray[Any]
    version: NDArray[np.str_]
    action: Any
    outputs: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    explanation: Mapping[str, Any] = field(default_factory=dict)
    labelling: Any = 1.0
    ruled: pd.DataFrame | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    newcomer: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Responsible:
    """The versions that answer for one segment.

    Attributes
    ----------
    models, files
        By version: the champion's, and the canary's if there is one and the task is not
        *forecast*; files of the whole bundle.
    limits
        Of each version; those of a forecast are part of its models.
    regions
        What an earlier logical model refuses, of versions that were trained behind one.
    """

    serving: Serving
    models: Mapping[VersionId, Any]
    files: Mapping[VersionId, Mapping[str, bytes]]
    limits: Mapping[VersionId, Limits]
    regions: Mapping[VersionId, Region] = field(default_factory=dict)

    def treat(
        self,
        version: VersionId,
        columns: Mapping[str, Column],
        rules: Applicability,
        others: Sequence[tuple[Reason, NDArray[np.bool_]]] = (),
    ) -> Treated:
        """Decide on rows by the domain of a version, and by other reasons."""
        domain = self.limits[version].domains.get("")
        if domain is None:
            return treat(Beyond.nowhere(len(next(iter(columns.values()), ()))), rules)
        return treat(beyond(domain, columns, rules.share, others), rules)

    @property
    def stand_ins(self) -> Mapping[VersionId, Any]:
        """Fitted fallback of each version that has one."""
        found = ((version, own.stand_ins) for version, own in self.limits.items())
        return {version: models[""] for version, models in found if "" in models}

    def versions(self, entities: pd.Index) -> NDArray[np.str_]:
        """Return which version answers for each entity, shape ``(n,)``."""
        return self.serving.versions(entities)


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What one segment asks.

    Attributes
    ----------
    table, source
        Its rows as they were read, and where they come from, for messages.
    day
        The first day to forecast; the next one where ``None``.
    rules
        Over the lists of a ranking, those of this segment; ``None`` where there are none.
    """

    table: pd.DataFrame
    source: str
    settings: DataSettings
    course: Course[Any]
    day: str | None
    rules: RuleBook | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentAnswers:
    """The answers of one segment, or why there are none.

    Attributes
    ----------
    seconds
        How long the answers took, from reading the versions on.
    heard
        What shadows answered, who are not served.
    """

    segment: Segment
    serving: Serving | None
    answers: Answers | None = None
    reason: str = ""
    seconds: float = 0.0
    heard: Heard[Answers] = field(default_factory=Heard)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """A batch of segments and what answers for them; it may travel to another process."""

    batch: Batch
    course: Course[Any]
    day: str | None
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
    day: str | None = None,
    rules: RuleBook | None = None,
) -> Iterator[list[SegmentAnswers]]:
    """Ask the released versions of every segment of a table; yield batch after batch.

    A segment without a version, or whose switch is off, has a reason in place of answers.

    Parameters
    ----------
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
            serving=own,
            versions={v: versions[v] for s in own.values() for v in _asked(s)},
            templates=templates,
            artifacts=home.artifacts_url,
            rules={name: rules.of(name) for name in batch.segments} if rules else {},
        )

    yield from engine.map(_answer_batch, map(job, source.batches()))


def _asked(serving: Serving) -> tuple[VersionId, ...]:
    return (*serving.candidates, *serving.shadows)


def _answer_batch(job: _Job) -> list[SegmentAnswers]:
    artifacts = Artifacts(job.artifacts)
    return [_answer(job, segment, table, artifacts) for segment, table in job.batch.tables()]


def _answer(
    job: _Job, segment: Segment, table: pd.DataFrame, artifacts: Artifacts
) -> SegmentAnswers:
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

    def ask(who: Serving) -> Answers:
        found: Answers = module.answer(question, _responsible(job, who, artifacts))
        return found

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
    files = {n: read_bundle(artifacts, job.versions[n].manifest).files for n in names}
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
