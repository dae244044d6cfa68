"""Gate on robustness: changes of inputs that nobody would mind do not move a score far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import (
    ForecastQuery,
    GateDefinition,
    GateResult,
    Hyperparameters,
    RankQuery,
    Scores,
    ScoreSchema,
    Share,
    Subject,
)
from loopcast.validate.results import say, shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.probing import Probed


class Robustness(Hyperparameters, frozen=True):
    """How far a score may be moved by numbers that stay within their slack.

    Unlike the gate ``stability``, which moves inputs at random, this one searches for the worst.

    Attributes
    ----------
    slack
        Of numbers whose feature declares none, relative to their range.
    limit
        Of the probability, for 19 of 20 rows with all numbers moved.
    alone
        The same, with one number moved and all others as they are.
    flips
        Largest share of decisions at the logical model's cut-off that can be flipped; any where
        ``None``.
    """

    slack: Annotated[float, msgspec.Meta(gt=0.0, le=0.5)] = 0.02
    limit: Share = 0.3
    alone: Share = 0.2
    flips: Share | None = None


def check_robustness(subject: Subject, options: Robustness) -> Iterator[GateResult]:
    """Search the test scenario's rows for the changes that move their scores farthest."""
    from loopcast.develop.probing import probe

    schema = subject.logical_model.schema
    assert isinstance(schema, ScoreSchema)
    for scenario in subject.scenarios:
        rows = scenario.inputs
        assert not isinstance(rows, ForecastQuery | RankQuery)
        found = probe(partial(_probability, subject, scenario.name), rows, schema, options.slack)
        if not found.slack:
            yield say("robustness")("", True, "no score hinges on slack", "no number has any")
            continue
        yield from _moves(found, options)
        if options.flips is not None:
            yield _flips(subject, found, options.flips)


def _probability(subject: Subject, name: str, rows: pd.DataFrame) -> NDArray[np.float64]:
    import numpy as np

    answer = subject.answer(name, rows)
    assert isinstance(answer, Scores)
    return np.asarray(answer.probability, np.float64)


def _moves(found: Probed, options: Robustness) -> Iterator[GateResult]:
    import numpy as np

    tests = [("all numbers", found.move, options.limit)]
    tests += [(name, move, options.alone) for name, move in found.alone.items()]
    for name, move, limit in tests:
        high = float(np.quantile(move, 0.95))
        slack = f" by up to {found.slack[name]:.4g}" if name in found.slack else ""
        yield say("robustness")(
            name,
            high <= limit,
            f"{name} moved{slack} moves 19 of 20 probabilities by at most {limit:g}",
            f"by {shown(high)}, the farthest by {shown(float(move.max()))}",
        )


def _flips(subject: Subject, found: Probed, limit: float) -> GateResult:
    from loopcast.develop.decision import decision_for

    decision = decision_for(subject.logical_model)
    flipped = decision.granted(found.lowest) != decision.granted(found.highest)
    return say("robustness")(
        "decisions",
        float(flipped.mean()) <= limit,
        f"at most {limit:.0%} of decisions at {decision.cutoff:g} can be flipped",
        f"{flipped.mean():.1%} can be",
    )


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="robustness",
        title="small changes that nobody would mind do not move a score far",
        options=Robustness,
        run=check_robustness,
        tasks=("score",),
    ),
)
