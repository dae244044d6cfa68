"""What follows from a result: the experiment is concluded, and its winner goes the usual way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.api import ExperimentStep, GateError, Policy, Stage, VersionId
from loopcast.deploy.releases import release, unsigned
from loopcast.govern.demands import lacking, next_goal
from loopcast.iterate.experiments.evaluation import Evaluated, result_of
from loopcast.iterate.experiments.results import Result

if TYPE_CHECKING:
    from loopcast.store.catalog import Standing
    from loopcast.store.home import Home


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was concluded, and where the winner came to stand.

    Attributes
    ----------
    stage
        Of the winner; ``None`` where no arm is to be released.
    proposal
        What a person may do, and what the policy demands before; empty for a champion.
    """

    result: Result
    stage: Stage | None = None
    proposal: tuple[str, ...] = ()


def conclude(found: Evaluated, home: Home, policy: Policy, *, by: str, now: datetime) -> Decision:
    """Conclude an experiment by its result, and release the winner as the policy allows.

    An automatic policy moves it as far as nothing is lacking; otherwise, and where its segment is
    frozen, it waits for a person.

    Raises
    ------
    GateError
        While the result is sealed, or a sequential test has decided nothing yet.
    """
    result = result_of(found)
    undecided = all(contrast.verdict == "undecided" for contrast in result.contrasts)
    if undecided and not result.progress.complete:
        raise GateError(
            f"experiment {result.experiment.name} of {result.experiment.place} has decided "
            f"nothing yet: {result.sentence}; let it run, or stop it"
        )
    step = ExperimentStep(step="concluded", at=now, by=by, reason=result.sentence)
    home.catalog.take_step([result.experiment], step)
    if result.winner is None:
        return Decision(result=result)
    reason = f"experiment {result.experiment.name}: {result.sentence}"
    stage, proposal = _promote(result.winner, home, policy, by=by, reason=reason, at=now)
    return Decision(result=result, stage=stage, proposal=proposal)


def _promote(
    version: VersionId, home: Home, policy: Policy, *, by: str, reason: str, at: datetime
) -> tuple[Stage, tuple[str, ...]]:
    while True:
        [standing] = home.catalog.standings([version]).values()
        if standing.stage == "champion":
            return "champion", ()
        model = home.catalog.logical_model(standing.version.logical_model)
        goal = next_goal(standing)
        missing = (
            *_held(standing),
            *unsigned(home, standing, goal),
            *lacking(standing, goal, model, policy, by=by),
        )
        if missing or policy.row(model).release != "automatic":
            command = f"'loopcast release {version} --by NAME --reason TEXT'"
            return standing.stage, (f"it waits for a person: {command} makes it {goal}", *missing)
        release(home, [standing], goal, policy, by=by, reason=reason, at=at)


def _held(standing: Standing) -> tuple[str, ...]:
    frozen = standing.frozen
    return (f"{frozen.place} is frozen {frozen.circumstances}",) if frozen else ()
