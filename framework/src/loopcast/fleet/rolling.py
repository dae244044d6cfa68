"""Rollouts in the catalog: begun by people, moved on by rule, and what devices are told then.

Everything happens in the catalog's transactions, one writer at a time. A centre that is killed
leaves a rollout before a step or after it; any other goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from loopcast.api import (
    ConfigurationError,
    DeviceName,
    Observed,
    Package,
    Rollout,
    RolloutAct,
    RolloutStep,
    StoreError,
    place_name,
)
from loopcast.fleet import cohorts
from loopcast.fleet.observing import Contest, observe
from loopcast.fleet.rollout import Standing, after, decide, standing
from loopcast.store.devices import Enrolled
from loopcast.store.packages import Pair
from loopcast.store.rollouts import Course, Turn

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog

Devices = Mapping[DeviceName, Enrolled]


def begin(catalog: Catalog, plan: Rollout, *, by: str, reason: str) -> Course:
    """Begin a rollout: its canary is told to run the package.

    Raises
    ------
    NotFoundError
        When there is no such package.
    ConfigurationError
        When no device is selected, or errors cannot be compared as the plan wants it.
    ConflictError
        When another rollout is under way on its devices.
    """
    step = RolloutStep(act="begin", at=datetime.now(UTC), by=by, reason=reason)
    before = _champions(catalog, plan)

    def divide(devices: Devices) -> dict[DeviceName, int]:
        members = cohorts.stages(plan, (each.device for each in devices.values()))
        _require_comparable(plan, members, before)
        return members

    def told(course: Course) -> dict[DeviceName, Pair]:
        return told_after(course, after(Standing(), step), step.act)

    return catalog.begin_rollout(plan, step, divide, told)


def _champions(catalog: Catalog, plan: Rollout) -> set[DeviceName]:
    """Return the devices that have been told to run a package of the logical model and segment."""
    return {
        name
        for name, told in catalog.told().items()
        for package, role in told.packages
        if role == "champion" and _place(package) == (plan.logical_model, plan.segment)
    }


def _place(item: Package | Rollout) -> tuple[str, str]:
    return item.logical_model, item.segment


def _require_comparable(
    plan: Rollout, members: Mapping[DeviceName, int], before: set[DeviceName]
) -> None:
    """Refuse a plan that could only end at its deadline."""
    canary = len(cohorts.reached(members, 0))
    if canary == 0:
        labels = ", ".join(f"{key}={value}" for key, value in plan.select.items())
        where = f"have the labels {labels}" if labels else "are enrolled"
        raise ConfigurationError(
            f"rollout {plan.name}: its first stage has no device; {len(members)} {where}; enrol "
            "more, or begin with a larger share"
        )
    if plan.test is None:
        return
    if canary < plan.test.devices:
        raise ConfigurationError(
            f"rollout {plan.name}: the canary has {canary} devices, and a comparison of errors "
            f"takes {plan.test.devices}; begin with a larger share, or go by health alone"
        )
    alone = members.keys() - before
    if alone:
        raise ConfigurationError(
            f"rollout {plan.name}: {len(alone)} of {len(members)} devices run no package of "
            f"{place_name(plan.logical_model, plan.segment)} to compare errors with; the first "
            "rollout goes by health alone"
        )


def told_after(course: Course, state: Standing, act: RolloutAct) -> dict[DeviceName, Pair]:
    """Return what devices are to run after a step; those that it changes nothing for are left out.

    While errors are compared, the champion before goes on as a shadow, so that both answer the
    same questions on the same device; a device that runs the package already runs it alone.
    """
    sequence = course.plan.sequence
    reached = {name: m for name, m in course.members.items() if m.stage <= state.stage}
    if state.taken_back:
        return {name: Pair(champion=member.previous) for name, member in reached.items()}
    if act == "complete":
        return {name: Pair(champion=sequence) for name in reached}
    if act in {"begin", "advance"}:
        return {
            name: Pair(champion=sequence, shadow=_other(member.previous, sequence))
            for name, member in reached.items()
            if member.stage == state.stage
        }
    return {}


def _other(previous: int | None, sequence: int) -> int | None:
    return None if previous == sequence else previous


def seen(course: Course, packages: Mapping[int, Package], devices: Devices) -> list[Observed]:
    """Return what is known of the devices that a rollout has reached.

    Parameters
    ----------
    packages
        Of the logical model and segment, by sequence.
    """
    state = standing(course.steps)
    own = packages[course.plan.sequence].manifest
    contests = {
        name: Contest(package=own, before=_manifest(packages, member.previous))
        for name, member in course.members.items()
        if member.stage <= state.stage and devices[name].device.revoked is None
    }
    return observe(devices, contests)


def _manifest(packages: Mapping[int, Package], sequence: int | None) -> str | None:
    return packages[sequence].manifest if sequence is not None else None


def packages_of(catalog: Catalog, plan: Rollout) -> dict[int, Package]:
    """Return the packages of a rollout's logical model and segment, by sequence."""
    found = catalog.packages(plan.logical_model, plan.segment)
    return {package.sequence: package for package in found}


def advance(catalog: Catalog, now: datetime) -> list[tuple[Rollout, RolloutStep]]:
    """Take every step that follows by rule, and return those that were taken.

    What follows is found without keeping anybody waiting, and found again while nobody else
    writes: of several centres, one takes the step.
    """
    taken = []
    for course in catalog.rollouts(under_way=True):
        choose = partial(_turn, packages=packages_of(catalog, course.plan), now=now)
        if choose(course, catalog.devices(course.members)) is None:
            continue
        turn = catalog.roll(course.plan.name, choose)
        taken += [(course.plan, turn.step)] if turn else []
    return taken


def _turn(
    course: Course, devices: Devices, *, packages: Mapping[int, Package], now: datetime
) -> Turn | None:
    """Return the step that follows by rule; ``None`` where nothing does."""
    state = standing(course.steps)
    step = decide(course.plan, state, seen(course, packages, devices), now)
    if step is None:
        return None
    return Turn(step=step, assign=told_after(course, after(state, step), step.act))


def act(catalog: Catalog, name: str, wanted: RolloutAct, *, by: str, reason: str) -> RolloutStep:
    """Pause, resume or abort a rollout; an aborted one is taken back, a complete one too.

    Raises
    ------
    NotFoundError
        When there is no such rollout.
    StoreError
        When that cannot be done now.
    """
    step = RolloutStep(act=wanted, at=datetime.now(UTC), by=by, reason=reason)
    later = _later(catalog, name)

    def choose(course: Course, _: Devices) -> Turn:
        state = standing(course.steps)
        if state.phase == "complete" and later:
            raise StoreError(f"rollout {later} came after {name}; take that one back first")
        return Turn(step=step, assign=told_after(course, after(state, step), wanted))

    catalog.roll(name, choose)
    return step


def _later(catalog: Catalog, name: str) -> str:
    """Return the newest rollout on the same place that came after one and was not taken back."""
    plan = catalog.rollout(name).plan
    found = [c for c in catalog.rollouts() if _place(c.plan) == _place(plan)]
    after_it = found[[c.plan.name for c in found].index(name) + 1 :]
    standing_ones = [c.plan.name for c in after_it if not standing(c.steps).taken_back]
    return standing_ones[-1] if standing_ones else ""
