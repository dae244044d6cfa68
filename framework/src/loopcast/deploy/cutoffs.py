"""What a version's score would decide at cut-offs, from the rows of its contest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import ConfigurationError, ModelError, ScoreOutcome, ScoreSchema, take
from loopcast.deploy.comparison import judged_of
from loopcast.develop.score.cutoffs import Choice, Goal, Operating, choose, curve, operating

if TYPE_CHECKING:
    from loopcast.api import Judged, LogicalModel, Version
    from loopcast.store.home import Home

FEWEST = 30
"""Rows of a subpopulation that is shown."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Cutoffs:
    """Cut-offs of a version's score.

    Attributes
    ----------
    configured
        What happens at the cut-off of the logical model; ``None`` where it has none.
    choices
        For each goal.
    by
        What happens to each subpopulation, at the configured cut-off or else at the first choice.
    curve
        From few cases granted to all of them.
    outcome
        The judged rows.
    """

    logical_model: LogicalModel
    version: Version
    protocol: str
    configured: Operating | None
    choices: tuple[Choice, ...]
    by: Mapping[str, Operating]
    curve: Sequence[Operating]
    outcome: ScoreOutcome

    @property
    def used(self) -> Operating:
        """The cut-off that subpopulations are shown at."""
        return self.configured or self.choices[0].at


def cutoffs_of(home: Home, version: str, goals: Sequence[Goal]) -> Cutoffs:
    """Return what happens at the configured cut-off, and at those chosen for goals.

    The most profit is a goal too, where the logical model says what decisions earn.

    Parameters
    ----------
    version
        Its id, or the beginning of it.

    Raises
    ------
    ModelError
        Where it is no score.
    ConfigurationError
        Where nothing says what a cut-off is for.
    NotFoundError, IntegrityError
        Where the version, or what its contest left behind, is not there.
    """
    found = home.catalog.version(version)
    model = home.catalog.logical_model(found.logical_model)
    if model.task != "score":
        raise ModelError(f"{model.name} is of the task {model.task}; only scores have cut-offs")
    decision, threshold = model.decision, model.decision.threshold
    goals = [*([Goal(kind="profit")] if decision.profits is not None else []), *goals]
    if not goals and threshold is None:
        raise ConfigurationError(
            f"nothing says what a cut-off of {model.name} is for: give --event-rate or --granted, "
            "or configure logical_model.decision with a cutoff or profits"
        )
    judged = judged_of(home, found)
    outcome = _outcome(judged)
    _require_amounts(outcome, model, found)
    configured = None if threshold is None else operating(outcome, threshold, decision)
    choices = tuple(choose(outcome, goal, decision) for goal in goals)
    at = threshold if threshold is not None else choices[0].at.cutoff
    return Cutoffs(
        logical_model=model,
        version=found,
        protocol=home.catalog.evaluations(found.id)[0].protocol,
        configured=configured,
        choices=choices,
        by={
            name: operating(take(outcome, rows), at, decision)
            for name, rows in judged.subsets()
            if name and len(rows) >= FEWEST
        },
        curve=curve(outcome, decision),
        outcome=outcome,
    )


def _require_amounts(outcome: ScoreOutcome, model: LogicalModel, version: Version) -> None:
    assert isinstance(model.schema, ScoreSchema)
    if model.schema.amount is not None and outcome.amount is None:
        raise ModelError(
            f"version {version.id} was judged before {model.name} said the amount "
            f"{model.schema.amount!r} of a case; train it again"
        )


def _outcome(judged: Judged) -> ScoreOutcome:
    """Return what the version itself said in its contest: the first contender."""
    outcome = next(iter(judged.outcomes.values()))
    assert isinstance(outcome, ScoreOutcome)
    return outcome
