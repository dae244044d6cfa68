"""Fitting a contender to the data of each segment of a family: to be judged, and to all data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from loopcast.api import Continuing, FitContext, LoopcastError, ModelError, Refitting
from loopcast.develop.course import Contender, Course
from loopcast.develop.holdout import Holdout

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
    fit = partial(_fit_template, contender, context)
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
    found = candidate.template.fit_after(champions, parts, candidate.hyperparameters, context)
    return _silent(candidate, parts) | dict(found)


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
    found = candidate.template.refit(judged, whole, candidate.hyperparameters, context)
    return _silent(candidate, whole) | dict(found)


def _fit_template(
    contender: Contender, context: FitContext, parts: Mapping[str, Any]
) -> dict[str, Any]:
    found = contender.template.fit(parts, contender.hyperparameters, context)
    return _silent(contender, parts) | dict(found)


def _silent(contender: Contender, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error of each segment of which a template says nothing."""
    name = contender.template.name
    told = "template {} gave no outcome for segment {!r}"
    return {segment: ModelError(told.format(name, segment)) for segment in parts}


def good(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results that are no errors."""
    return {s: result for s, result in results.items() if not isinstance(result, LoopcastError)}
