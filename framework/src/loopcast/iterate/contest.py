"""From a contest of scorers or rankers to what is bundled and registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from loopcast.api import Engine, FitContext, LoopcastError, Ranking
from loopcast.deploy.loaded import Packed
from loopcast.develop.contest import Trained, Trial, contest_family, fit_family
from loopcast.develop.course import Advance, Contender, Course
from loopcast.develop.holdout import Holdout
from loopcast.develop.known import Known
from loopcast.develop.metrics import in_full
from loopcast.develop.moments import in_utc
from loopcast.iterate.tasks import Contest, Made
from loopcast.monitor.training import reference_file

DataT = TypeVar("DataT")

Pack = Callable[[Trained, Contender, DataT, Contender | None], Packed]


def judge_family(
    course: Course[Holdout],
    family: Mapping[str, Known[DataT]],
    engine: Engine,
    advance: Advance,
    *,
    trial: Trial[DataT],
) -> Iterator[tuple[str, Contest | LoopcastError]]:
    """Judge all contenders on each segment; an error is the outcome of its segment."""
    tried = {s: in_utc(known.tried) for s, known in family.items() if known.tried is not None}
    context = FitContext(seed=course.seed, engine=engine, tried=tried)
    for segment, found in contest_family(course, family, trial, context, advance):
        if isinstance(found, LoopcastError):
            yield segment, found
            continue
        yield (
            segment,
            Contest(
                judged=found.judged, evaluations=found.evaluations, gates=found.gates, own=found
            ),
        )


def finish_family(
    course: Course[Holdout],
    contests: Mapping[str, Contest],
    engine: Engine,
    advance: Advance,
    *,
    trial: Trial[DataT],
    pack: Pack[DataT],
) -> Iterator[tuple[str, Made | LoopcastError]]:
    """Fit the candidate on all data of each segment and pack it; an error is an outcome too."""
    context = FitContext(seed=course.seed, engine=engine)
    own = {segment: contest.own for segment, contest in contests.items()}
    for segment, trained in fit_family(course, own, trial, context, advance):
        if isinstance(trained, LoopcastError):
            yield segment, trained
            continue
        try:
            yield segment, _made(course, _kept(contests[segment], trial), trained, pack)
        except LoopcastError as error:
            yield segment, error


def _kept(contest: Contest, trial: Trial[Any]) -> Contest:
    """Return a contest whose judged rows are kept, with what identifies them."""
    if trial.keys is None:
        return contest
    return replace(contest, judged=replace(contest.judged, keys=trial.keys(contest.own.split)))


def _made(course: Course[Holdout], contest: Contest, trained: Trained, pack: Pack[DataT]) -> Made:
    known, own = trained.contest.known, trained.evaluations
    test, beside = trained.contest.test, contest.evaluations[len(own) :]
    champion = in_full(contest.judged, beside, course.metrics, test.fingerprint)
    packed = pack(trained, course.candidate, known.training, course.stand_in)
    answer = packed.scenario.answer
    lists = answer if isinstance(answer, Ranking) else None
    reference = reference_file(known.training, trained.contest.judged, course.seed, lists)
    return Made(
        datasets=(known.dataset, test),
        files={**packed.files, **reference},
        contest=replace(contest, evaluations=(*own, *champion)),
        model=packed.model,
        scenario=packed.scenario,
    )
