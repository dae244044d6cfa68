"""The promises of a template, each checked for each segment of a family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from loopcast.api import (
    Continuing,
    Files,
    FitContext,
    Forecaster,
    Hyperparameters,
    LoopcastError,
    Ranker,
    Refitting,
    Scorer,
    Template,
)
from loopcast.testing.context import fit_context
from loopcast.testing.questions import Question, question, training_data, unforecast

TOLERANCE = 1e-6
"""By how much an answer may depend on what else is asked: sums in another order round otherwise."""

PICKLED = [bytes([0x80, protocol]) for protocol in range(2, 6)]
"""How pickles begin."""

MODELS = {"forecast": Forecaster, "score": Scorer, "rank": Ranker}

Models = dict[str, Any]
ResultT = TypeVar("ResultT")


class _BrokenError(Exception):
    """A promise that is not kept, in words; what depends on it is not looked at."""


def check_template(
    template: Template[Any, Any],
    family: Mapping[str, Any],
    hyperparameters: Hyperparameters | None = None,
    *,
    seed: int = 0,
) -> Models:
    """Hold a template to what the core relies on.

    - ``fit`` yields each segment once: a model, or an error of loopcast's own; so do ``refit`` and
      ``fit_after`` where there are any. Segments get the same model in whatever order they come.
    - ``predict`` gives one answer of the right shape for everything asked, without NaN where none
      belongs; the same one when asked again, in another order, and for a row alone. Categories
      that training never saw are answered, or refused. It leaves its inputs as they are.
    - ``save`` returns bytes by name, and ``load`` gives a model that answers and saves the same.

    Parameters
    ----------
    family
        Data of the template's task by segment. Forecasts are asked for the last horizon of the
        actuals, and fitted to what is known before it.
    hyperparameters
        Their defaults where ``None``.

    Returns
    -------
    dict of str to model
        What was fitted to the family, for checks of the author's own. A segment that the template
        refused is left out.

    Raises
    ------
    AssertionError
        Naming each promise that is broken, and the segment.
    """
    task = template.task
    parts = {segment: training_data(task, data) for segment, data in family.items()}
    chosen = template.hyperparameters() if hyperparameters is None else hyperparameters
    fits = _Fits(template, chosen, fit_context(seed))
    try:
        found = fits.fit(parts)
        again = fits.fit(dict(reversed(parts.items())))
        fits.others(found, parts)
        problems = [
            f"segment {segment!r}: {problem}"
            for segment, model in found.items()
            for problem in _of_segment(
                segment, _problems(template, family[segment], model, again.get(segment))
            )
        ]
    except _BrokenError as broken:
        raise AssertionError(f"template {template.name}: {broken}") from broken.__cause__
    if problems:
        raise AssertionError("\n- ".join([f"template {template.name}:", *problems]))
    return found


class _Fits:
    """Every way in which a template fits, with the same hyperparameters and context."""

    def __init__(
        self, template: Template[Any, Any], hyperparameters: Hyperparameters, context: FitContext
    ) -> None:
        self.template, self.rest = template, (hyperparameters, context)

    def fit(self, parts: Mapping[str, Any]) -> Models:
        return self._outcomes("fit", parts, self.template.fit, parts)

    def others(self, models: Models, parts: Mapping[str, Any]) -> None:
        """Fit as models were, and after them."""
        known = {segment: parts[segment] for segment in models}
        if isinstance(self.template, Refitting):
            self._outcomes("refit", known, self.template.refit, models, known)
        if isinstance(self.template, Continuing):
            self._outcomes("fit_after", parts, self.template.fit_after, models, parts)
            self._outcomes("fit_after, of no models,", parts, self.template.fit_after, {}, parts)

    def _outcomes(
        self, name: str, parts: Mapping[str, Any], fit: Callable[..., Any], *arguments: Any
    ) -> Models:
        """Return the models, where there is an outcome for each segment."""
        told = "it stops every segment: yield the error as the outcome of its own, as fit_each does"
        pairs = _attempt(f"{name} raised", lambda: list(fit(*arguments, *self.rest)), told)
        _require_each(name, parts, pairs)
        kind = MODELS[self.template.task]
        for segment, outcome in pairs:
            if not isinstance(outcome, kind | LoopcastError):
                found = type(outcome).__name__
                raise _BrokenError(
                    f"{name} yields a {found} for segment {segment!r}; expected a {kind.__name__} "
                    "or an error of loopcast.api"
                )
        models = {s: found for s, found in pairs if not isinstance(found, LoopcastError)}
        if pairs and not models:
            raise _BrokenError(f"{name} refuses every segment, the first since: {pairs[0][1]}")
        return models


def _require_each(name: str, parts: Iterable[str], pairs: list[Any]) -> None:
    """Each segment of the family has one outcome, and no other has any."""
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise _BrokenError(f"{name} has to yield pairs of a segment and its outcome")
    found, expected = sorted(segment for segment, _ in pairs), sorted(parts)
    if found != expected:
        raise _BrokenError(f"{name} yields outcomes of the segments {found}; expected {expected}")


def _attempt(what: str, action: Callable[[], ResultT], told: str = "") -> ResultT:
    try:
        return action()
    except Exception as error:
        why = f"{what} {type(error).__name__}: {error}"
        raise _BrokenError("; ".join(filter(None, (why, told)))) from error


def _of_segment(segment: str, problems: Iterator[str]) -> Iterator[str]:
    """Yield problems until one stops the rest; what the template raised goes on, with its place."""
    try:
        yield from problems
    except _BrokenError as broken:
        if broken.__cause__ is not None:
            raise _BrokenError(f"segment {segment!r}: {broken}") from broken.__cause__
        yield str(broken)


def _problems(template: Template[Any, Any], data: Any, model: Any, again: Any) -> Iterator[str]:
    asked = question(template.task, data)
    answer = _steady(asked, model)
    if template.task == "forecast":
        yield from filter(None, [unforecast(data, model, answer)])
    yield from _answer_problems(asked, model, answer)
    files = _saved(model)
    yield from _fit_problems(files, again)
    yield from _load_problems(asked, _loaded(template, files), answer, files)


def _saved(model: Any) -> Files:
    files = _attempt("save raised", model.save)
    if not isinstance(files, Mapping) or not all(
        isinstance(name, str) and isinstance(content, bytes) for name, content in files.items()
    ):
        raise _BrokenError("save has to return a mapping of names to bytes")
    pickled = [name for name, content in files.items() if content[:2] in PICKLED]
    if pickled:
        raise _BrokenError(f"save returns a pickle in {pickled[0]!r}, and pickles can run code")
    return files


def _loaded(template: Template[Any, Any], files: Files) -> Any:
    return _attempt("load raised", lambda: template.load(files))


def _steady(asked: Question, model: Any) -> Any:
    """Ask twice, and return the answer: the same one, to inputs that are as they were."""
    before = asked.inputs()
    answer = _sound(asked, model)
    if not all(_same(*pair, 0.0) for pair in zip(before, asked.inputs(), strict=True)):
        raise _BrokenError("predict changes its inputs")
    if not _same(answer, _sound(asked, model), 0.0):
        raise _BrokenError("asked again, it answers otherwise: predict may draw and keep nothing")
    return answer


def _sound(asked: Question, model: Any) -> Any:
    """Ask, and return an answer without a fault."""
    answer = _attempt("predict raised", lambda: asked.ask(model))
    fault = asked.fault(answer)
    if fault:
        raise _BrokenError(fault)
    return answer


def _fit_problems(files: Files, again: Any) -> Iterator[str]:
    if again is None:
        yield "fitted once more, it is refused"
    elif other := _different(files, _saved(again)):
        yield (
            "fitted once more with the same seed, after other segments, it saves another "
            f"{other}; all that is random has to come from context.seed and the segment's name"
        )


def _answer_problems(asked: Question, model: Any, answer: Any) -> Iterator[str]:
    if asked.backwards and not _same(answer[::-1], _sound(asked.backwards, model), TOLERANCE):
        yield "asked in reverse order, it answers otherwise"
    if asked.alone and not _same(answer[:1], _sound(asked.alone, model), TOLERANCE):
        yield "the first row alone is answered otherwise than among others"
    if asked.strange:
        yield from _strange_problems(asked.strange, model)


def _strange_problems(strange: Question, model: Any) -> Iterator[str]:
    try:
        fault = strange.fault(strange.ask(model))
    except LoopcastError:
        return
    except Exception as error:
        fault = f"predict raised {type(error).__name__}: {error}"
    if fault:
        yield f"of categories that training never saw: {fault}"


def _load_problems(asked: Question, loaded: Any, answer: Any, files: Files) -> Iterator[str]:
    if not _same(answer, _sound(asked, loaded), 0.0):
        yield "the model that load returns answers otherwise: save has to keep all that is fitted"
    elif other := _different(files, _saved(loaded)):
        yield f"the model that load returns saves another {other}"


def _different(one: Files, two: Files) -> str:
    """Return the first file that is not the same in both; empty where all are."""
    names = sorted({*one, *two})
    return next((name for name in names if one.get(name) != two.get(name)), "")


def _same(one: Any, two: Any, tolerance: float) -> bool:
    import numpy as np

    if one.dtype.kind in "fc":
        return bool(np.allclose(one, two, rtol=0.0, atol=tolerance, equal_nan=True))
    return bool(np.array_equal(one, two))
