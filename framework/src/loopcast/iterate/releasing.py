"""Releasing what training has made, by the policy of its risk class.

An automatic policy releases a version that has earned it: it passed the gates that the policy
demands, beats its baselines, and beats the champion row by row on what both were judged on. Where
its predictions are far from the champion's, a person decides. A policy of proposals leaves a
version in staging until a person releases it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    Goal,
    IntegrityError,
    NotFoundError,
    Policy,
    Stage,
    Validation,
    VersionId,
)
from loopcast.deploy.releases import label_of
from loopcast.deploy.validation import (
    Surroundings,
    rival_of,
    surroundings,
    validate_versions,
)
from loopcast.develop.engine import LocalEngine
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.govern.demands import lacking
from loopcast.iterate.verdict import (
    Verdict,
    chosen,
    failures,
    not_judged,
    released_since,
    verdict_beside,
)
from loopcast.store.catalog import Move, Standing

if TYPE_CHECKING:
    from loopcast.develop.course import Course
    from loopcast.iterate.new_version import NewVersion
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

BY = "loopcast"
"""Who releases without being asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rules:
    """By what training releases.

    Attributes
    ----------
    plugins
        Bring the gates and templates that the policy and the versions name.
    """

    policy: Policy
    plugins: PluginManager


@dataclass(frozen=True, kw_only=True)
class Released:
    """Where a version came to stand.

    Attributes
    ----------
    reason
        Why it came no further, or what the champion before it was; empty for a first one.
    better
        Whether it passed its gates and is better than the champion, or there is none.
    doubtful
        Whether it passed its gates, and only a person can decide whether it is better.
    """

    stage: Stage
    reason: str = ""
    better: bool = False
    doubtful: bool = False


def release_by_policy(
    course: Course[Any],
    items: Sequence[NewVersion],
    home: Home,
    rules: Rules,
    *,
    at: datetime | None = None,
) -> dict[VersionId, Released]:
    """Validate new versions and move each as far along as the policy and its results allow.

    All moves are one transaction, in which nobody else moves a champion. A version that finds
    another one there than it was judged beside does not follow it.

    Parameters
    ----------
    at
        The moment of the moves; now by default.

    Returns
    -------
    dict
        Where each version came to stand.
    """
    failed = {item.version.id: failures(item.gates) for item in items}
    entered = {item.version.id: item for item in items if not failed[item.version.id]}
    stopped = {name: text for name, text in failed.items() if text}
    around = surroundings(home, [item.version for item in entered.values()])
    stopped |= _validate(course, entered, home, rules, around)
    stopped |= _alternatives(course, [name for name in entered if name not in stopped])
    open_ = {name: item for name, item in entered.items() if name not in stopped}
    verdicts = {name: _verdict(course, item, home, around) for name, item in open_.items()}
    automatic = rules.policy.row(course.logical_model).release == "automatic"
    plan = partial(_moves, course, verdicts, rules.policy, automatic=automatic)
    names = [item.version.id for item in items]
    standings = home.catalog.advance(names, plan, at=at, policy=rules.policy.name)
    return {
        name: Released(
            stage=standing.stage,
            reason=_said(standing, verdicts.get(name), stopped.get(name, ""), automatic=automatic),
            better=name in verdicts and (verdicts[name].better or verdicts[name].improved),
            doubtful=name in verdicts and verdicts[name].doubtful,
        )
        for name, standing in standings.items()
    }


def _alternatives(course: Course[Any], names: Sequence[VersionId]) -> dict[VersionId, str]:
    """Say why alternatives stay where they are, though nothing else stops them."""
    label = course.preparation.alternative if course.preparation else ""
    text = (
        f"it is an alternative ({label}), and to choose it is a decision that a person signs: "
        "'loopcast sign VERSION', then 'loopcast release VERSION'"
    )
    return dict.fromkeys(names, text) if label else {}


def _validate(
    course: Course[Any],
    items: Mapping[VersionId, NewVersion],
    home: Home,
    rules: Rules,
    around: Surroundings,
) -> dict[VersionId, str]:
    """Run the gates of the policy on versions that need it; say what failed, by version."""
    row = rules.policy.row(course.logical_model)
    stages = home.catalog.stages(items) if row.gates else {}
    new = [items[name].version for name, s in stages.items() if s in ("candidate", "retired")]
    found: tuple[Validation, ...] = ()
    if new:
        examined = {name: item.examination for name, item in items.items() if item.examination}
        found = validate_versions(
            home,
            rules.plugins,
            rules.policy,
            new,
            LocalEngine(),
            by=BY,
            examined=examined,
            around=around,
        )
    return {
        validation.version: "; ".join(
            f"gate {r.gate}{f' ({r.test})' if r.test else ''}: expected {r.expectation}, "
            f"measured {r.measured}"
            for r in validation.failed
        )
        for validation in found
        if not validation.passed
    }


def _verdict(course: Course[Any], item: NewVersion, home: Home, around: Surroundings) -> Verdict:
    """Return what the training found beside the champion, or what the stores say of another one."""
    version, champion = item.version, around.champion(item.version)
    if champion is None or champion.id == version.id:
        return Verdict(champion=None, reason="first version to pass its gates", better=True)
    if item.verdict is not None and item.verdict.champion == champion.id:
        return item.verdict
    judged = read_judged(item.bundle.files[JUDGED_FILE], course.logical_model.task)
    try:
        label = label_of(home, champion)
        rival, note = rival_of(home, version, judged, champion)
    except (IntegrityError, NotFoundError) as error:
        return not_judged(champion.id, error)
    if label:
        return chosen(champion.id, label)
    if rival is not None:
        return verdict_beside(rival, champion.id, course)
    # Who serves by now was released by a person, maybe, whom nothing overrules unasked.
    gives_way = Verdict(champion=champion.id, reason=note, better=True)
    return gives_way if item.verdict is None else released_since(champion.id)


def _moves(
    course: Course[Any],
    verdicts: Mapping[VersionId, Verdict],
    policy: Policy,
    standings: Mapping[VersionId, Standing],
    *,
    automatic: bool,
) -> list[Move]:
    """Return the next move of each version that has one."""
    model, moves = course.logical_model, []
    for name, verdict in verdicts.items():
        standing = standings[name]
        goal = None if standing.frozen else _next(standing, verdict, automatic=automatic)
        if goal is not None and not lacking(standing, goal, model, policy, by=BY):
            moves.append(
                Move(
                    logical_model=model.name,
                    segment=standing.version.segment,
                    version=name,
                    stage=goal,
                    by=BY,
                    reason=verdict.reason,
                )
            )
    return moves


def _next(standing: Standing, verdict: Verdict, *, automatic: bool) -> Goal | None:
    match standing.stage:
        case "candidate" | "retired":
            return "staging"
        case "staging" if automatic:
            return "champion" if standing.champion is None else "challenger"
        case "challenger" if automatic and verdict.better and not _overtaken(standing, verdict):
            return "champion"
        case _:
            return None


def _overtaken(standing: Standing, verdict: Verdict) -> bool:
    """Tell whether another champion serves than the one beside whom a version was judged."""
    return standing.champion not in (None, verdict.champion)


def _said(standing: Standing, verdict: Verdict | None, stopped: str, *, automatic: bool) -> str:
    """Say why a version stands where it does, and what a person may do."""
    if standing.stage == "champion":
        return verdict.reason if verdict and verdict.champion else ""
    if stopped:
        return stopped
    command = f"'loopcast release {standing.version.id} --by NAME --reason TEXT'"
    said = verdict.reason if verdict else ""
    if frozen := standing.frozen:
        said = f"{frozen.place} is frozen {frozen.circumstances}"
    elif verdict and standing.champion and _overtaken(standing, verdict):
        said = released_since(standing.champion).reason
    if automatic and standing.stage == "challenger":
        return said
    return f"{said}; it waits for a person: {command} says what is missing, and releases it"
