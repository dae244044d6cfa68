"""Fitting a contender to the data of each segment of a family: to be judged, and to all data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from loopcast.api import Continuing, FitContext, LoopcastError, ModelError, Refitting
from loopcast.develop.course import Contender, Course
from loopcast.develop.holdout import Holdout
from loopcast.plugins import calling

Models = Mapping[str, Any]
"""By segment, a model or the error that stopped it."""

Finish = Callable[
    [Course[Holdout], Models, Mapping[str, Any], Callable[[Mapping[str, Any]], Models]], Models
]


def fit(
    course: Course[Holdout],
    contender: Contender,
    parts: Mapping[str, Any],
    context: FitContext,
    finish: Finish | None,
) -> dict[str, Any]:
    """Return a model or an error for each segment; those of the candidate are finished."""
    fit = partial(fit_template, contender, context)
    models = fit(parts)
    if finish is None or contender is not course.candidate:
        return models
    return models | dict(finish(course, good(models), parts, fit))


def fit_after(
    course: Course[Holdout],
    champions: Models,
    parts: Mapping[str, Any],
    context: FitContext,
    finish: Finish | None,
) -> dict[str, Any]:
    """Fit the candidate to be judged, beginning at champions where it can."""
    candidate = course.candidate
    if not champions or finish is not None or not isinstance(candidate.template, Continuing):
        return fit(course, candidate, parts, context, finish)
    fit_next = partial(candidate.template.fit_after, champions)
    return _outcomes(candidate, "fit_after", fit_next, context, parts)


def fit_all(
    course: Course[Holdout],
    judged: Models,
    whole: Mapping[str, Any],
    context: FitContext,
    finish: Finish | None,
) -> dict[str, Any]:
    """Fit the candidate to all data, as its judged models were where it can."""
    candidate = course.candidate
    if finish is not None or not isinstance(candidate.template, Refitting):
        return fit(course, candidate, whole, context, finish)
    return _outcomes(candidate, "refit", partial(candidate.template.refit, judged), context, whole)


def fit_template(
    contender: Contender, context: FitContext, parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a model or an error for each segment, in whatever way the template fails."""
    return _outcomes(contender, "fit", contender.template.fit, context, parts)


def _outcomes(
    contender: Contender,
    what: str,
    fit: Callable[..., Iterable[tuple[str, Any]]],
    context: FitContext,
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a template yields for each segment; an error for each that it says nothing of."""
    name, found = contender.template.name, dict[str, Any]()
    stopped: LoopcastError | None = None
    try:
        with calling(name, what):
            for segment, outcome in fit(parts, contender.hyperparameters, context):
                found[segment] = outcome
    except LoopcastError as error:
        stopped = error
    silent = "template {} gave no outcome for segment {!r}"
    told = {s: outcome for s, outcome in found.items() if outcome is not None}
    return {
        s: told[s] if s in told else stopped or ModelError(silent.format(name, s)) for s in parts
    }


def good(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results that are no errors."""
    return {s: result for s, result in results.items() if not isinstance(result, LoopcastError)}
