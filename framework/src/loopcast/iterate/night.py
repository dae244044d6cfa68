"""A night in one pass: what is due is trained again, and every segment is answered.

The process that trains a segment has its data, its champion and the new version in memory, and
answers it by the one that it expects to serve when the training is settled. Whether that is who
serves is known only to the stores: answers are kept where it is, and asked for again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loopcast.deploy.lookup import Serving, look_up_all
from loopcast.iterate.batch import Trained, train
from loopcast.iterate.registering import NewVersion
from loopcast.iterate.retrain.round import begin, training_for, works_of
from loopcast.iterate.tasks import Champion, steps_of
from loopcast.serve.family import AtHand, Who, answer_batch, answer_segments, answer_tables

if TYPE_CHECKING:
    from loopcast.api import Engine, Segment
    from loopcast.develop.source import Batch
    from loopcast.iterate.batch import Job, Result, Work
    from loopcast.iterate.family import Training
    from loopcast.iterate.retrain.report import Retrained
    from loopcast.iterate.retrain.round import Asked, Outlook
    from loopcast.serve.answered import AnsweredBatch
    from loopcast.serve.family import Answering, AnswerJob


@dataclass(frozen=True, eq=False, kw_only=True)
class NightBatch:
    """What became of a batch of segments, and what they were answered.

    Attributes
    ----------
    retrained
        Of the segments that were due.
    asked_again
        Whether the answers are not those of the process that trained.
    """

    retrained: tuple[Retrained, ...]
    answered: AnsweredBatch
    asked_again: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
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
class _Done:
    """What came of a batch.

    Attributes
    ----------
    serving
        By whom its segments were answered.
    """

    results: Mapping[Segment, Result]
    serving: Mapping[Segment, Serving]
    answered: AnsweredBatch


def night(
    asked: Asked, outlook: Outlook, answering: Answering, engine: Engine
) -> Iterator[NightBatch]:
    """Train what is due, and answer for every segment by who serves then.

    What is killed at any moment is gone on with by the next call with the same settings, which
    answers for all segments. Where nothing is to be trained, all are answered by who serves.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have.
    """
    trains = asked.settings.retrain.train
    works = works_of(asked, outlook) if trains else ()
    progress = begin(asked, outlook) if trains else None
    if progress is None:
        for answered in answer_segments(answering, asked.source, engine):
            yield NightBatch(retrained=(), answered=answered)
        return
    training = training_for(asked)
    jobs = _jobs(asked, outlook.batches, works, training, answering)
    for batch, done in zip(outlook.batches, engine.map(_train_and_answer, jobs), strict=True):
        retrained = progress.note(training.settle(done.results)) if done.results else ()
        yield _confirmed(answering, batch, done, retrained)
    progress.finish()


def _jobs(
    asked: Asked,
    batches: Sequence[Batch],
    works: Sequence[tuple[Work, ...]],
    training: Training,
    answering: Answering,
) -> Iterator[_Job]:
    who = answering.who(look_up_all(asked.home.catalog, asked.name))
    row = asked.settings.policy.row(asked.settings.logical_model)
    for batch, own in zip(batches, works, strict=True):
        yield _Job(
            trainings=tuple(map(training.job, own)),
            answer=answering.job(batch, who),
            automatic=row.release == "automatic",
        )


def _confirmed(
    answering: Answering, batch: Batch, done: _Done, retrained: tuple[Retrained, ...]
) -> NightBatch:
    """Return the answers of a batch by who serves now, which are asked for again where needed."""
    catalog, name = answering.home.catalog, answering.course.logical_model.name
    found = look_up_all(catalog, name, batch.segments)
    now = {s: own for s, own in found.items() if s in done.serving or own.champion is not None}
    if now == done.serving:
        return NightBatch(retrained=retrained, answered=done.answered)
    answered = answer_batch(answering.job(batch, answering.who(now)))
    return NightBatch(retrained=retrained, answered=answered, asked_again=True)


def _train_and_answer(job: _Job) -> _Done:
    tables = dict(job.answer.batch.tables())
    trained: dict[Segment, Trained] = {}
    for training in job.trainings:
        own = {segment: tables[segment] for segment in training.work.batch.segments}
        trained |= train(training, own.items())
    who, task = _expected(job, trained), job.answer.course.logical_model.task
    at_hand = {segment: _at_hand(found, steps_of(task).asked) for segment, found in trained.items()}
    return _Done(
        results={segment: found.result for segment, found in trained.items()},
        serving=who.serving,
        answered=answer_tables(replace(job.answer, who=who), tables.items(), at_hand),
    )


def _at_hand(trained: Trained, asked: Any) -> AtHand:
    """Return what a training leaves in memory for who answers."""
    files, models = {}, {}
    champion, result = trained.champion, trained.result
    if isinstance(champion, Champion):
        files[champion.name], models[champion.name] = champion.files, champion.model
    if isinstance(result, NewVersion):
        files[result.version.id] = result.bundle.files
        if trained.model is not None:
            models[result.version.id] = trained.model
    known = trained.known
    return AtHand(data=None if known is None else asked(known), files=files, models=models)


def _expected(job: _Job, trained: Mapping[Segment, Trained]) -> Who:
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


def _after(before: Serving, item: NewVersion, job: _Job) -> Serving:
    """Return who will serve a segment, of which there is a new version."""
    found = item.examination.results if item.examination else ()
    passed = all(gate.passed for gate in (*item.gates, *found))
    better = item.verdict.better if item.verdict else before.champion is None
    if not (job.automatic and passed and better):
        return before
    # A champion that gives way ends the experiment that it is an arm of.
    return replace(before, champion=item.version.id, trial=None)
