"""A night in one pass: what is due is trained again, and every segment is answered by who serves.

Whether those whom a batch was answered by are those who serve is known only to the stores: its
answers are kept where they are, and asked for again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.deploy.lookup import look_up_all
from loopcast.iterate.family import together
from loopcast.iterate.night_batch import NightJob, train_and_answer
from loopcast.iterate.retrain.round import training_for
from loopcast.serve.family import answer_batch, answer_segments

if TYPE_CHECKING:
    from loopcast.api import Engine, Segment
    from loopcast.deploy.lookup import Serving
    from loopcast.develop.source import Batch
    from loopcast.iterate.batch import Work
    from loopcast.iterate.family import Training
    from loopcast.iterate.night_batch import Done
    from loopcast.iterate.retrain.report import Retrained
    from loopcast.iterate.retrain.round import Asked, Outlook, Progress
    from loopcast.serve.answered import AnsweredBatch
    from loopcast.serve.family import Answering


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


def night(
    asked: Asked,
    outlook: Outlook,
    progress: Progress | None,
    answering: Answering,
    engine: Engine,
) -> Iterator[NightBatch]:
    """Train what is due, and answer for every segment by who serves then.

    What is killed at any moment is gone on with by the next call with the same settings, which
    answers for all segments. Where nothing is to be trained, all are answered by who serves.

    Parameters
    ----------
    progress
        Of the round of retraining, to be finished when all is written and published.
    """
    if progress is None:
        for answered in answer_segments(answering, outlook.batches, engine):
            yield NightBatch(retrained=(), answered=answered)
        return
    training = training_for(asked, outlook)
    jobs = _jobs(asked, outlook, progress.works, training, answering)
    batches = zip(outlook.batches, engine.map(train_and_answer, jobs), strict=True)
    for group in together(batches):
        results = {s: result for _, done in group for s, result in done.results.items()}
        settled = progress.note(training.settle(results)) if results else ()
        told = {item.segment: item for item in settled}
        named = [segment for batch, _ in group for segment in batch.segments]
        found = look_up_all(asked.home.catalog, asked.name, named)
        for batch, done in group:
            own = tuple(told[s] for s in done.results)
            yield _confirmed(answering, batch, done, own, found)


def _jobs(
    asked: Asked,
    outlook: Outlook,
    works: Sequence[tuple[Work, ...]],
    training: Training,
    answering: Answering,
) -> Iterator[NightJob]:
    serving = look_up_all(asked.home.catalog, asked.name)
    who = answering.who(serving, outlook.past.champions.values())
    row = asked.settings.policy.row(asked.settings.logical_model)
    for batch, own in zip(outlook.batches, works, strict=True):
        yield NightJob(
            trainings=tuple(map(training.job, own)),
            answer=answering.job(batch, who),
            automatic=row.release == "automatic",
        )


def _confirmed(
    answering: Answering,
    batch: Batch,
    done: Done,
    retrained: tuple[Retrained, ...],
    found: Mapping[Segment, Serving],
) -> NightBatch:
    """Return the answers of a batch by who serves now, which are asked for again where needed."""
    own = {segment: found[segment] for segment in batch.segments}
    now = {s: who for s, who in own.items() if s in done.serving or who.champion is not None}
    if now == done.serving:
        return NightBatch(retrained=retrained, answered=done.answered)
    answered = answer_batch(answering.job(batch, answering.who(now)))
    return NightBatch(retrained=retrained, answered=answered, asked_again=True)
