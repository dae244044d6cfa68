"""Gates that ask the model: the base case, odd inputs, and inputs that change a little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from loopcast.api import (
    DomainVerdict,
    Forecast,
    ForecastQuery,
    ForecastSchema,
    GateDefinition,
    GateResult,
    Hyperparameters,
    LoopcastError,
    Ranking,
    RankQuery,
    Scenario,
    Scores,
    ScoreSchema,
    Subject,
)
from loopcast.validate.results import say, shown

if TYPE_CHECKING:
    from loopcast.validate.oddities.made import Oddity

Amount = Annotated[float, msgspec.Meta(ge=0.0)]
Kind = Literal["missing", "extreme", "unseen", "constant", "shuffled", "single"]


class BaseCase(Hyperparameters, frozen=True):
    """How far the answer to a test scenario may be from the one of training.

    Attributes
    ----------
    tolerance
        Relative for a forecast, of probabilities for a score, of scores for a list.
    """

    tolerance: Amount = 1e-9


class Oddities(Hyperparameters, frozen=True):
    """Which odd inputs are tried.

    Attributes
    ----------
    without
        Kinds that are left out.
    tolerance
        Of answers that have to be those of the scenario in another order.
    """

    without: tuple[Kind, ...] = ()
    tolerance: Amount = 1e-6


class Stability(Hyperparameters, frozen=True):
    """How much an answer may change when its inputs change a little.

    Attributes
    ----------
    change
        Of each input, relative to its range.
    limit
        Of the 95th percentile of the change: relative for a forecast, of probabilities for a
        score, share of places with another item for a list. By task where ``None``.
    """

    change: Annotated[float, msgspec.Meta(gt=0.0, le=0.5)] = 0.01
    limit: Amount | None = None


def check_base_case(subject: Subject, options: BaseCase) -> Iterator[GateResult]:
    """Ask the test scenarios of the bundle again."""
    from loopcast.validate.answers import distance

    result, expectation = say("base_case"), f"the answer of training, within {options.tolerance:g}"
    for scenario in subject.scenarios:
        again = scenario.again or subject.answer(scenario.name, scenario.inputs)
        found = distance(again, scenario.answer)
        yield result(
            scenario.name,
            found <= options.tolerance,
            expectation,
            "identical" if found == 0.0 else f"differs by up to {shown(found)}",
        )
    if not subject.scenarios:
        yield result("", False, expectation, "the bundle has no test scenario")


def check_oddities(subject: Subject, options: Oddities) -> Iterator[GateResult]:
    """Ask odd questions; each gets a sound answer or a refusal of loopcast's own."""
    for scenario in subject.scenarios:
        for oddity in _oddities(scenario, subject):
            if oddity.kind not in options.without:
                yield _asked(subject, scenario, oddity, options.tolerance)


def _oddities(scenario: Scenario, subject: Subject) -> Iterator[Oddity]:
    schema, inputs, answer = subject.logical_model.schema, scenario.inputs, scenario.answer
    seed = subject.manifest.seed
    if isinstance(schema, ForecastSchema):
        from loopcast.validate.oddities.forecast import odd_panels

        assert isinstance(inputs, ForecastQuery)
        assert isinstance(answer, Forecast)
        yield from odd_panels(inputs, answer, schema, seed)
    elif isinstance(schema, ScoreSchema):
        from loopcast.validate.oddities.score import odd_rows

        assert isinstance(answer, Scores)
        assert not isinstance(inputs, ForecastQuery | RankQuery)
        yield from odd_rows(inputs, answer, schema, seed)
    else:
        from loopcast.validate.oddities.rank import odd_queries

        assert isinstance(inputs, RankQuery)
        assert isinstance(answer, Ranking)
        yield from odd_queries(inputs, answer, seed)


def _asked(subject: Subject, scenario: Scenario, oddity: Oddity, tolerance: float) -> GateResult:
    from loopcast.validate.answers import distance, problem_of

    expectation = "a sound answer, or a refusal in words"
    if oddity.expected is not None:
        expectation = f"the same answer in that order, within {tolerance:g}"
    passed, measured = True, "a sound answer"
    verdict = _verdict(subject, oddity)
    if verdict is not None and verdict.withheld == verdict.rows:
        # Whatever the model would say: when serving, nobody asks it.
        why = f"left to others by the domain of applicability: {verdict.reason}"
        return say("oddities")(_test(scenario, oddity), True, expectation, f"{why:.300}")
    try:
        answer = subject.answer(scenario.name, oddity.inputs)
    except LoopcastError as error:
        passed, measured = oddity.expected is None, f"refused: {error}"
    except Exception as error:
        passed, measured = False, f"{type(error).__name__}: {error}"
    else:
        problem = problem_of(oddity.inputs, answer, ordinary=oddity.ordinary)
        if not problem and oddity.expected is not None:
            found = distance(answer, oddity.expected)
            problem = f"differs by up to {shown(found)}" if found > tolerance else ""
        passed, measured = not problem, problem or measured
    if verdict is not None and verdict.flagged:
        measured += f"; {verdict.flagged} of {verdict.rows} flagged: {verdict.reason}"
    return say("oddities")(_test(scenario, oddity), passed, expectation, f"{measured:.300}")


def _test(scenario: Scenario, oddity: Oddity) -> str:
    return f"{scenario.name}: {oddity.name}" if scenario.name else oddity.name


def _verdict(subject: Subject, oddity: Oddity) -> DomainVerdict | None:
    """Return what is done with an odd input when serving; ``None`` where it is to be as before."""
    inputs = oddity.inputs
    if subject.domain is None or oddity.expected is not None or isinstance(inputs, RankQuery):
        return None
    return subject.domain(inputs)


# A scorecard answers in steps, and a row beside a cut takes one: a twentieth would refuse most.
_LIMITS = {"forecast": 0.1, "score": 0.1, "rank": 0.5}


def check_stability(subject: Subject, options: Stability) -> Iterator[GateResult]:
    """Change all inputs of the scenarios a little, and measure how the answers change."""
    import numpy as np

    from loopcast.validate.nearby import change_of_answers, nearby

    result, task = say("stability"), subject.logical_model.task
    limit = _LIMITS[task] if options.limit is None else options.limit
    expectation = f"inputs changed by {options.change:.0%} change 95 % of answers by at most"
    for scenario in subject.scenarios:
        inputs = nearby(scenario.inputs, options.change, subject.manifest.seed)
        if inputs is None:
            why = "does not apply: no input is a number that could change a little"
            yield result(scenario.name, True, f"{expectation} {limit:g}", why)
            continue
        answer = subject.answer(scenario.name, inputs)
        found = float(np.quantile(change_of_answers(answer, scenario.answer), 0.95))
        yield result(
            scenario.name, found <= limit, f"{expectation} {limit:g}", f"by {shown(found)}"
        )


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="base_case",
        title="the bundle's test scenarios are answered as in training",
        options=BaseCase,
        run=check_base_case,
    ),
    GateDefinition(
        name="oddities",
        title="odd inputs get a sound answer or a refusal in words",
        options=Oddities,
        run=check_oddities,
    ),
    GateDefinition(
        name="stability",
        title="a small change of the inputs makes a small change of the answer",
        options=Stability,
        run=check_stability,
    ),
)
