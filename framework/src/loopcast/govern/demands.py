"""What a version lacks for its next move, by the policy of its logical model's risk class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from loopcast.api import (
    GateError,
    GateResult,
    Goal,
    LogicalModel,
    Policy,
    PolicyRow,
    Stage,
    VersionId,
)
from loopcast.store.catalog import Move, Review, Standing

STAGES_BEFORE: Mapping[Goal, tuple[Stage, ...]] = {
    "staging": ("candidate", "challenger", "canary", "retired"),
    "challenger": ("staging", "canary"),
    "canary": ("staging", "challenger", "canary"),
    "champion": ("challenger", "canary"),
}
"""From where each stage is entered: one stage after another, and back to staging."""

_BACK: frozenset[tuple[Stage, Goal]] = frozenset(
    {("challenger", "staging"), ("canary", "staging"), ("canary", "challenger")}
)
_GOALS: Mapping[Stage, Goal] = {goal: goal for goal in STAGES_BEFORE}
_SHOWN = 5


def next_goal(standing: Standing) -> Goal:
    """Return the stage that a version usually enters next.

    Raises
    ------
    GateError
        When there is none: it is champion.
    """
    match standing.stage:
        case "candidate" | "retired":
            return "staging"
        case "staging":
            return "champion" if standing.champion is None else "challenger"
        case "challenger" | "canary":
            return "champion"
        case "champion":
            raise GateError(f"version {standing.version.id} is champion; there is no next stage")


def lacking(
    standing: Standing, goal: Goal, model: LogicalModel, policy: Policy, *, by: str = ""
) -> tuple[str, ...]:
    """Return everything that a version lacks for a move, a sentence each; empty where nothing.

    Parameters
    ----------
    by
        Who would release it; where the policy demands four eyes, none of those who signed.

    Raises
    ------
    ConfigurationError
        When the risk questionnaire of the logical model is not complete.
    """
    if standing.stage == goal or (standing.stage, goal) in _BACK:
        return ()
    row = policy.row(model)
    return (
        *_path(standing, goal),
        *_documents(model, row),
        *_validation(standing, row),
        *_signatures(standing, goal, row, by),
    )


def _path(standing: Standing, goal: Goal) -> Iterator[str]:
    first = goal == "champion" and standing.stage == "staging" and standing.champion is None
    if standing.stage not in STAGES_BEFORE[goal] and not first:
        way = " or ".join(STAGES_BEFORE[goal])
        yield f"it is {_article(standing.stage)}; {goal} is entered from {way}"


def _article(stage: Stage) -> str:
    return {"staging": "in staging", "retired": "retired"}.get(stage, f"a {stage}")


def _documents(model: LogicalModel, row: PolicyRow) -> Iterator[str]:
    for name in row.documentation:
        if not getattr(model, name):
            yield f"logical_model.{name} of {model.name} is empty; say it in its configuration"


def _validation(standing: Standing, row: PolicyRow) -> Iterator[str]:
    command = f"run 'loopcast validate {standing.version.id}'"
    found = standing.validation
    if not row.gates:
        return
    if found is None:
        yield f"no validation of the gates {', '.join(sorted(row.gates))}; {command}"
    elif found.policy != row.digest:
        yield (
            f"the validation of {found.at:%Y-%m-%d %H:%M}Z is older than the gates of today's "
            f"policy; {command}"
        )
    else:
        yield from map(_failure, found.failed)


def _failure(result: GateResult) -> str:
    test = f" ({result.test})" if result.test else ""
    return (
        f"gate {result.gate}{test} failed: expected {result.expectation}, measured "
        f"{result.measured}"
    )


def _signatures(standing: Standing, goal: Goal, row: PolicyRow, by: str) -> Iterator[str]:
    signed = {item.role: item.by for item in standing.sign_offs if item.move == goal}
    demanded = row.sign_offs.get(goal, ())
    for role in demanded:
        if role not in signed:
            yield (
                f"no sign-off by the role {role}; 'loopcast sign {standing.version.id} --role "
                f"{role} --for {goal} --by NAME --statement TEXT' records one"
            )
    if row.four_eyes:
        names = [signed[role] for role in demanded if role in signed]
        times = Counter(map(_person, names))
        for person, name in {_person(name): name for name in names}.items():
            if times[person] > 1 or person == _person(by):
                what = "signed twice" if times[person] > 1 else "signed and releases"
                yield f"{name} {what}; the policy demands different people"


def _person(name: str) -> str:
    """Return whom a name is of, which capitals and blanks do not change."""
    return " ".join(name.split()).casefold()


def reviewer(moves: Sequence[Move], models: Mapping[str, LogicalModel], policy: Policy) -> Review:
    """Return what refuses moves that lack something, and says all that is missing.

    The catalog calls it in the transaction of the moves, with where the versions stand then.
    """

    def review(standings: Mapping[VersionId, Standing]) -> None:
        found = {}
        for move in moves:
            goal, model = _GOALS.get(move.stage), models[move.logical_model]
            standing = standings[move.version]
            if goal and (reasons := lacking(standing, goal, model, policy, by=move.by)):
                found[move.version] = reasons
        if found:
            raise GateError(_refusal(found, len(moves)))

    return review


def _refusal(found: Mapping[VersionId, Sequence[str]], count: int) -> str:
    lines = []
    for version, reasons in list(found.items())[:_SHOWN]:
        lines.append(f"version {version} cannot be released:")
        lines += [f"  - {reason}" for reason in reasons]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more versions lack something")
    if count > 1:
        lines.append(f"none of the {count} versions was moved")
    return "\n".join(lines)
