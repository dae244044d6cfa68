"""The contest of scorers or rankers, for a family of segments, and the fit on all data after it.

Templates see a family at once, so that thousands of small segments cost no more than their data.
What goes wrong in one segment is its outcome, and stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from loopcast.api import (
    Dataset,
    Evaluation,
    FitContext,
    GateResult,
    GivingWay,
    Judged,
    LoopcastError,
    Outcome,
)
from loopcast.develop.baselines import beats_baselines, better
from loopcast.develop.course import Advance, Course
from loopcast.develop.fitting import Finish, Models, fit, fit_after, fit_all, good
from loopcast.develop.holdout import Holdout, Split
from loopcast.develop.known import Known
from loopcast.develop.metrics import evaluate, in_full

if TYPE_CHECKING:
    import pandas as pd

DataT = TypeVar("DataT")


@dataclass(frozen=True)
class Trial(Generic[DataT]):
    """How a task judges: functions of its own.

    Attributes
    ----------
    split
        Cut data in two, by a plan and a seed.
    answer
        Ask a model about the judged part; the last argument names the template for messages.
    lay_out
        Put the outcomes of all contenders side by side.
    keys
        Return what identifies the judged rows, where :attr:`lay_out` leaves that to when they are
        kept.
    finish
        Add to the candidate's models, by segment, what is learned with further fits: takes the
        course, models, their data, and what fits the candidate's template.
    """

    split: Callable[[DataT, Holdout, int], Split[DataT]]
    answer: Callable[[Any, Split[DataT], str], Outcome]
    lay_out: Callable[[Split[DataT], Mapping[str, Outcome]], Judged]
    keys: Callable[[Split[DataT]], tuple[pd.Categorical[Any], ...]] | None = None
    finish: Finish | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Contested:
    """How a template did on a segment, before it is fitted to all data.

    Attributes
    ----------
    known
        What is known of the segment.
    split
        How its data was cut.
    model
        The candidate's, which was judged.
    evaluations
        By contender, the candidate first: by the KPI alone, which decides.
    """

    known: Known[Any]
    split: Split[Any]
    model: Any
    judged: Judged
    evaluations: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]

    @property
    def test(self) -> Dataset:
        """Describes the judged part."""
        dataset, split = self.known.dataset, self.split
        return Dataset(
            name=f"{dataset.name[:54]}_held_out",
            fingerprint=split.fingerprint,
            origin=f"{dataset.origin}: {split.protocol}",
            rows=split.rows,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A model on all data, with how its template did in the contest.

    Attributes
    ----------
    evaluations
        Of the contest, by all metrics and subpopulations.
    stand_in
        The fallback on all data, where it answers beyond the domain of the model.
    """

    model: Any
    contest: Contested
    evaluations: tuple[Evaluation, ...]
    stand_in: Any = None


def contest_family(
    course: Course[Holdout],
    family: Mapping[str, Known[DataT]],
    trial: Trial[DataT],
    context: FitContext,
    advance: Advance,
) -> Iterator[tuple[str, Contested | LoopcastError]]:
    """Judge all contenders on each segment.

    Parameters
    ----------
    family
        What is known, by segment.
    advance
        Called with a contender's label when all segments have its answers.

    Yields
    ------
    segment, outcome
        In the order of the family; one for each segment.
    """
    splits = {
        segment: _attempt(
            partial(trial.split, known.training, course.plan.after(known.since), course.seed)
        )
        for segment, known in family.items()
    }
    results = _contest(course, splits, trial, context, advance, family=family)
    for segment, known in family.items():
        found = results[segment]
        if isinstance(found, _Result):
            yield segment, _contested(course, known, splits[segment], found)
        else:
            yield segment, found


def fit_family(
    course: Course[Holdout],
    contests: Mapping[str, Contested],
    trial: Trial[DataT],
    context: FitContext,
    advance: Advance,
) -> Iterator[tuple[str, Trained | LoopcastError]]:
    """Fit the candidate on all data of each segment that went through a contest.

    Parameters
    ----------
    advance
        Called with the candidate's label when all are fitted.

    Yields
    ------
    segment, outcome
        In the order of the contests; one for each.
    """
    whole = {segment: contest.known.training for segment, contest in contests.items()}
    models = {segment: contest.model for segment, contest in contests.items()}
    final, stand_in = fit_all(course, models, whole, context, trial.finish), course.stand_in
    stand_ins = fit(course, stand_in, whole, context, trial.finish) if stand_in else {}
    errors = _errors([final, stand_ins])
    advance(course.candidate.label)
    for segment, contest in contests.items():
        yield (
            segment,
            errors.get(segment)
            or Trained(
                model=final[segment],
                contest=contest,
                evaluations=in_full(
                    contest.judged, contest.evaluations, course.metrics, contest.split.fingerprint
                ),
                stand_in=stand_ins.get(segment),
            ),
        )


def _contest(
    course: Course[Holdout],
    splits: Mapping[str, Any],
    trial: Trial[Any],
    context: FitContext,
    advance: Advance,
    *,
    family: Mapping[str, Known[Any]],
) -> dict[str, Any]:
    """Return the result of each segment, or the error that stopped it."""
    champions = {s: known.champion for s, known in family.items() if known.champion is not None}
    stages: list[Mapping[str, Any]] = [splits]
    candidates: Models = {}
    for contender in course.contenders:
        parts = {segment: split.training for segment, split in good(splits).items()}
        own = contender is course.candidate
        models = (
            fit_after(course, champions, parts, context, trial.finish)
            if own
            else fit(course, contender, parts, context, trial.finish)
        )
        candidates = models if own else candidates
        answers = {
            segment: _attempt(
                partial(trial.answer, model, splits[segment], contender.template.name)
            )
            for segment, model in good(models).items()
        }
        stages.append(models | answers)
        advance(contender.label)
    errors, template = _errors(stages), course.candidate.template
    way = template if trial.finish is None and isinstance(template, GivingWay) else None
    measure = partial(_result, course, trial, way=way)
    results = {
        segment: _attempt(
            partial(measure, split, candidates[segment], answers, dataset=dataset.fingerprint)
        )
        for segment, split in splits.items()
        if segment not in errors
        for answers in [[stage[segment] for stage in stages[1:]]]
        for dataset in [family[segment].dataset]
    }
    return errors | results


def judged_again(
    course: Course[Holdout], data: DataT, trial: Trial[DataT], context: FitContext
) -> tuple[Split[DataT], Any]:
    """Return the split of one segment's data, and the candidate's model that was judged on it.

    Raises
    ------
    LoopcastError
        What stopped the split or the fit.
    """
    split = trial.split(data, course.plan, course.seed)
    segment = course.segment
    model = fit(course, course.candidate, {segment: split.training}, context, trial.finish)[segment]
    if isinstance(model, LoopcastError):
        raise model
    return split, model


def _attempt(action: Callable[[], Any]) -> Any:
    """Return what an action gives, or the error of loopcast's own that stopped it."""
    try:
        return action()
    except LoopcastError as error:
        return error


def _errors(stages: Sequence[Mapping[str, Any]]) -> dict[str, LoopcastError]:
    """Return the first error of each segment that has one."""
    return {
        segment: result
        for stage in reversed(stages)
        for segment, result in stage.items()
        if isinstance(result, LoopcastError)
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class _Result:
    """What the contest of one segment gave.

    Attributes
    ----------
    model
        The candidate's, which was judged.
    same
        Label of the baseline as which it answers, where it gave way to one.
    """

    model: Any
    judged: Judged
    evaluations: tuple[Evaluation, ...]
    same: str = ""


def _result(
    course: Course[Holdout],
    trial: Trial[Any],
    split: Split[Any],
    model: Any,
    answers: Sequence[Outcome],
    *,
    way: GivingWay | None,
    dataset: str,
) -> _Result:
    """Measure all by the KPI; the candidate gives way where a baseline is as good, if it can."""
    outcomes = dict(zip((c.label for c in course.contenders), answers, strict=True))
    judged = trial.lay_out(split, outcomes)
    evaluations = tuple(by_kpi(course, split, judged, c.label, dataset) for c in course.contenders)
    result = _Result(model=model, judged=judged, evaluations=evaluations)
    return _giving_way(course, trial, split, way, result) if way else result


def _giving_way(
    course: Course[Holdout],
    trial: Trial[Any],
    split: Split[Any],
    template: GivingWay,
    result: _Result,
) -> _Result:
    """Answer as the baseline that the candidate may give way to, where it does not beat it."""
    candidate, kpi = course.candidate, course.logical_model.kpi
    own, *others = (evaluation.value(kpi.metric) for evaluation in result.evaluations)
    unbeaten = [
        baseline.label
        for baseline, other in zip(course.baselines, others, strict=True)
        if baseline.template.name == template.gives_way_to and not better(own, other, kpi)
    ]
    if not unbeaten:
        return result
    model = template.give_way(result.model)
    if model is result.model:
        return replace(result, same=unbeaten[0])
    again = trial.answer(model, split, candidate.template.name)
    judged = replace(result.judged, outcomes={**result.judged.outcomes, candidate.label: again})
    dataset = result.evaluations[0].dataset
    evaluation = by_kpi(course, split, judged, candidate.label, dataset)
    return _Result(
        model=model,
        judged=judged,
        evaluations=(evaluation, *result.evaluations[1:]),
        same=unbeaten[0],
    )


def by_kpi(
    course: Course[Holdout], split: Split[Any], judged: Judged, label: str, dataset: str
) -> Evaluation:
    """Measure who is judged on the held-out part by the KPI alone, which decides.

    Parameters
    ----------
    dataset
        Fingerprint of all the data, of which the protocol says what was judged: that of the
        judged part takes longer, and is what a version needs.
    """
    metrics, protocol = [course.deciding], split.protocol
    return evaluate(judged, label, metrics, dataset=dataset, protocol=protocol, by=())


def _contested(
    course: Course[Holdout], known: Known[Any], split: Split[Any], result: _Result
) -> Contested:
    kpi, labels = course.logical_model.kpi, [contender.label for contender in course.baselines]
    return Contested(
        known=known,
        split=split,
        model=result.model,
        judged=result.judged,
        evaluations=result.evaluations,
        gates=beats_baselines(result.evaluations, kpi, labels, same=result.same),
    )
