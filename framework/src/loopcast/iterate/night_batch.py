"""Training a batch of segments and answering it, in one process that asks no database.

What trains a segment has its data, its champion and the new version in memory, and answers it by
those whom it expects to serve when the training is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopcast.deploy.loaded import Opened, names_of
from loopcast.deploy.lookup import Serving
from loopcast.iterate.batch import Failed, Trained, train
from loopcast.iterate.new_version import NewVersion
from loopcast.iterate.tasks import steps_of
from loopcast.serve.family import AtHand, Who, answer_tables

if TYPE_CHECKING:
    from loopcast.api import Files, Segment, Task, VersionId
    from loopcast.iterate.batch import Job, Result
    from loopcast.serve.answered import AnsweredBatch
    from loopcast.serve.family import AnswerJob


@dataclass(frozen=True, eq=False, kw_only=True)
class NightJob:
    """A batch of segments, and what training and answering it needs; it may travel.

    Attributes
    ----------
    trainings
        Apart by what is done to the data; none where nothing is due.
    answer
        By those who served before.
    automatic
        Whether what is better is released unasked.
    """

    trainings: tuple[Job, ...]
    answer: AnswerJob
    automatic: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Done:
    """What came of a batch.

    Attributes
    ----------
    serving
        By whom its segments were answered.
    """

    results: Mapping[Segment, Result]
    serving: Mapping[Segment, Serving]
    answered: AnsweredBatch


def train_and_answer(job: NightJob) -> Done:
    """Train what is due of a batch, and answer all of it by whom that leaves in charge."""
    tables = dict(job.answer.batch.tables())
    trained: dict[Segment, Trained] = {}
    for training in job.trainings:
        own = {segment: tables[segment] for segment in training.work.batch.segments}
        trained |= train(training, own.items())
    who, task = _expected(job, trained), job.answer.course.logical_model.task
    at_hand = {segment: _at_hand(found, task) for segment, found in trained.items()}
    return Done(
        results={segment: found.result for segment, found in trained.items()},
        serving=who.serving,
        answered=answer_tables(replace(job.answer, who=who), tables.items(), at_hand),
    )


def _at_hand(trained: Trained, task: Task) -> AtHand:
    """Return what a training leaves in memory for who answers."""
    files: dict[VersionId, Files] = {}
    champion, result, known = trained.champion, trained.result, trained.known
    opened: dict[VersionId, Opened] = {} if champion is None else {champion.name: champion}
    if isinstance(result, NewVersion):
        name, own = result.version.id, result.bundle.files
        if trained.model is None:
            files[name] = own
        else:
            opened[name] = Opened(files=own, model=trained.model, names=names_of(task, own))
    data = None if known is None else steps_of(task).asked(known)
    failed = result.reason if isinstance(result, Failed) else ""
    return AtHand(data=data, files=files, opened=opened, failed=failed)


def _expected(job: NightJob, trained: Mapping[Segment, Trained]) -> Who:
    """Return who will serve when the trainings are settled, as far as can be told before."""
    before, model = job.answer.who, job.answer.course.logical_model
    new = {s: own.result for s, own in trained.items() if isinstance(own.result, NewVersion)}
    unknown = Serving(logical_model=model.name, segment="", fallback=model.fallback)
    serving = {
        segment: _after(before.serving.get(segment, replace(unknown, segment=segment)), item, job)
        for segment, item in new.items()
    }
    return Who(
        serving={**before.serving, **serving},
        versions={**before.versions, **{item.version.id: item.version for item in new.values()}},
    )


def _after(before: Serving, item: NewVersion, job: NightJob) -> Serving:
    """Return who will serve a segment, of which there is a new version."""
    found = item.examination.results if item.examination else ()
    passed = all(gate.passed for gate in (*item.gates, *found))
    better = item.verdict.better if item.verdict else before.champion is None
    if not (job.automatic and passed and better):
        return before
    # A champion that gives way ends the experiment that it is an arm of.
    return replace(before, champion=item.version.id, trial=None)
