"""Gate on recent data: the newest judged forecasts, and what a scorer was asked lately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import (
    GateDefinition,
    GateResult,
    Hyperparameters,
    Judged,
    Production,
    ScoreOutcome,
    Scores,
    ScoreSchema,
    Subject,
    take,
)
from loopcast.validate.results import between, say, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loopcast.develop.groups import GroupDifference

    Rows = NDArray[np.intp]

OpenShare = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class Recent(Hyperparameters, frozen=True):
    """How much worse than before a version may do on the newest data, for certain.

    Attributes
    ----------
    share
        Of the judged origins of a forecast, the newest.
    worse_by
        Limit of the KPI's worsening, relative to its value before.
    minimum_known
        A score's outcomes in production count from so many on.
    """

    share: OpenShare = 0.25
    worse_by: Annotated[float, msgspec.Meta(ge=0.0)] = 0.25
    minimum_known: Annotated[int, msgspec.Meta(ge=2)] = 100
    confidence: OpenShare = 0.95


def check_recent(subject: Subject, options: Recent) -> Iterator[GateResult]:
    """Compare the newest forecasts with those before; ask a scorer what production asked."""
    if subject.logical_model.task == "forecast":
        yield _newest_origins(subject, options)
    elif subject.production is not None:
        yield from _requests(subject, subject.production, options)
    else:
        yield say("recent")("", True, "as good on recent data as before", "nothing was asked yet")


def _newest_origins(subject: Subject, options: Recent) -> GateResult:
    import numpy as np

    judged, blocks = subject.judged, np.unique(subject.judged.block)
    count = int(np.ceil(options.share * len(blocks)))
    newest = judged.block >= blocks[-count]
    rows = np.flatnonzero(judged.overall)
    test = f"newest {count} of {len(blocks)} origins"
    return _compared(subject, judged, (rows[newest[rows]], rows[~newest[rows]]), test, options)


def _requests(subject: Subject, production: Production, options: Recent) -> Iterator[GateResult]:
    import numpy as np

    from loopcast.validate.answers import problem_of

    result, count = say("recent"), len(production.rows)
    answer = subject.answer("", production.rows)
    assert isinstance(answer, Scores)
    problem = problem_of(production.rows, answer)
    yield result(
        "requests",
        not problem,
        "a probability for each of the newest requests",
        problem or f"{count:,} probabilities",
    )
    known = np.flatnonzero(np.isfinite(production.actual))
    test = "outcomes of requests"
    if problem or len(known) < options.minimum_known:
        yield result(
            test,
            True,
            f"as good as on the judged rows, from {options.minimum_known} outcomes on",
            f"{len(known)} outcomes are known",
        )
        return
    newest = ScoreOutcome(
        actual=production.actual,
        probability=np.asarray(answer.probability, np.float64),
        weight=np.ones(count),
        amount=_amounts(subject, production),
    )
    judged, groups = _joined(subject, take(newest, known))
    yield _compared(subject, judged, groups, test, options)


def _amounts(subject: Subject, production: Production) -> NDArray[np.float64] | None:
    schema = subject.logical_model.schema
    assert isinstance(schema, ScoreSchema)
    return None if schema.amount is None else production.rows[schema.amount].to_numpy("float64")


def _joined(subject: Subject, newest: ScoreOutcome) -> tuple[Judged, tuple[Rows, Rows]]:
    """Put requests with outcomes and the judged rows into one, and return the rows of each."""
    import numpy as np
    import pandas as pd

    before = subject.judged.outcomes[subject.label]
    assert isinstance(before, ScoreOutcome)
    count, total = len(newest.actual), len(newest.actual) + len(before.actual)
    stakes = [one.amount for one in (newest, before) if one.amount is not None]
    outcome = ScoreOutcome(
        actual=np.concatenate([newest.actual, before.actual]),
        probability=np.concatenate([newest.probability, before.probability]),
        weight=np.concatenate([newest.weight, before.weight]),
        amount=np.concatenate(stakes) if len(stakes) == 2 else None,
    )
    judged = Judged(
        keys=(pd.Categorical(np.arange(total)),),
        block=np.concatenate([-1 - np.arange(count), subject.judged.block]),
        overall=np.ones(total, dtype=bool),
        attributes={},
        outcomes={subject.label: outcome},
    )
    return judged, (np.arange(count), count + np.flatnonzero(subject.judged.overall))


def _compared(
    subject: Subject, judged: Judged, groups: tuple[Rows, Rows], test: str, options: Recent
) -> GateResult:
    """Compare the KPI of recent rows with that of the rows before."""
    from loopcast.develop.groups import difference_of_groups

    kpi = subject.logical_model.kpi
    found = difference_of_groups(judged, subject.label, subject.metrics[kpi.metric], *groups)
    interval = found.difference.interval(options.confidence)
    return say("recent")(
        test,
        _least_worsening(found, interval, kpi.direction) <= options.worse_by * abs(found.second),
        f"{kpi.metric} at most {options.worse_by:.0%} worse than before",
        f"{kpi.metric} {shown(found.first)}, before {shown(found.second)}, "
        f"{between(*(interval or (None, None)))} of the difference",
    )


def _least_worsening(
    found: GroupDifference, interval: tuple[float, float] | None, direction: str
) -> float:
    """Return the end of the interval that is kindest; infinite where the KPI is undefined."""
    import numpy as np

    sign = 1.0 if direction == "lower" else -1.0
    if not np.isfinite(found.difference.value):
        return float("inf")
    return min(sign * end for end in interval or (found.difference.value,))


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="recent",
        title="as good on the newest data as before",
        options=Recent,
        run=check_recent,
        tasks=("forecast", "score"),
        production=True,
    ),
)
