"""The rollout as a state machine: pure functions of a plan, what was done, and what is seen.

What was done is a list of steps, kept in the catalog; where a rollout stands follows from them
alone, so that any process can go on with it at any moment.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from loopcast.api import ErrorTest, Observed, Rollout, RolloutAct, RolloutStep, StoreError
from loopcast.api.fleet import HEALTHS
from loopcast.fleet.cohorts import stage_count
from loopcast.fleet.evidence import Look, comparable, compare, needed_pairs

Phase = Literal["declared", "running", "paused", "complete", "stopped", "aborted"]

RULE = "loopcast fleet"
"""Who takes the steps that follow from a rule."""

_ALLOWED: Mapping[RolloutAct, tuple[tuple[Phase, ...], Phase]] = {
    "begin": (("declared",), "running"),
    "look": (("running",), "running"),
    "advance": (("running",), "running"),
    "complete": (("running",), "complete"),
    "pause": (("running",), "paused"),
    "resume": (("paused",), "running"),
    "stop": (("running",), "stopped"),
    "abort": (("declared", "running", "paused", "complete"), "aborted"),
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a rollout stands.

    Attributes
    ----------
    stage
        The newest stage that was reached; −1 before it begins.
    since
        When this stage began, later by the time that it was paused.
    looks
        How often its errors were compared without a result.
    paused
        When it was paused; ``None`` where it is not.
    """

    phase: Phase = "declared"
    stage: int = -1
    since: datetime | None = None
    looks: int = 0
    paused: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by rule."""
        return self.phase in {"complete", "stopped", "aborted"}

    @property
    def taken_back(self) -> bool:
        """Whether devices return to what they had before."""
        return self.phase in {"stopped", "aborted"}


def standing(steps: Iterable[RolloutStep]) -> Standing:
    """Return where a rollout stands after its steps, the oldest first.

    Raises
    ------
    StoreError
        When a step could not follow those before it.
    """
    state = Standing()
    for step in steps:
        state = after(state, step)
    return state


def after(state: Standing, step: RolloutStep) -> Standing:
    """Return where a rollout stands after one more step.

    Raises
    ------
    StoreError
        When it cannot be taken now.
    """
    wanted, phase = _ALLOWED[step.act]
    if state.phase not in wanted:
        raise StoreError(
            f"a rollout that is {state.phase} cannot {step.act}; only one that is "
            f"{' or '.join(wanted)} can"
        )
    lost = step.at - state.paused if state.paused else timedelta()
    state = replace(state, phase=phase, since=_shifted(state.since, lost), paused=None)
    match step.act:
        case "begin" | "advance":
            return replace(state, stage=state.stage + 1, since=step.at, looks=0)
        case "look":
            return replace(state, looks=state.looks + 1)
        case "pause":
            return replace(state, paused=step.at)
        case _:
            return state


def _shifted(since: datetime | None, lost: timedelta) -> datetime | None:
    return since + lost if since else None


def decide(
    plan: Rollout, state: Standing, devices: Iterable[Observed], now: datetime
) -> RolloutStep | None:
    """Return the step that follows by rule from what is seen of the devices reached so far.

    Returns
    -------
    RolloutStep or None
        With the number of devices by their health among its evidence; ``None`` where there is
        nothing to do but to wait.
    """
    seen = tuple(devices)
    step = _following(plan, state, seen, now)
    if step is None:
        return None
    health = Counter(each.health for each in seen)
    counts = {name: float(health[name]) for name in HEALTHS}
    return msgspec.structs.replace(step, evidence=step.evidence | counts)


def _following(
    plan: Rollout, state: Standing, seen: tuple[Observed, ...], now: datetime
) -> RolloutStep | None:
    if state.phase != "running" or state.since is None:
        return None
    failed = [each for each in seen if each.health == "failed"]
    if len(failed) > math.floor(plan.tolerated * len(seen)):
        return _step("stop", now, _failures(failed, len(seen)))
    if now < state.since + timedelta(hours=plan.hold_hours):
        return None
    late = now >= state.since + timedelta(hours=plan.deadline_hours)
    wanted = math.ceil(plan.enough * len(seen))
    healthy = sum(each.health == "healthy" for each in seen)
    if healthy < wanted:
        said = f"{healthy} of {len(seen)} devices run the package after {plan.deadline_hours:g} h"
        reason = f"{said}; {wanted} were wanted"
        return _step("stop", now, reason) if late else None
    if plan.test is None:
        return _onward(plan, state, now, f"{healthy} of {len(seen)} devices are well")
    return _by_errors(plan, plan.test, state, seen, now, late=late)


def _by_errors(
    plan: Rollout,
    test: ErrorTest,
    state: Standing,
    seen: tuple[Observed, ...],
    now: datetime,
    *,
    late: bool,
) -> RolloutStep | None:
    """Return the step that follows from the errors, once there are as many as were stated."""
    ready = comparable(seen, test, state.looks)
    wanted = max(test.devices, math.ceil(plan.enough * len(seen)))
    if len(ready) < wanted:
        pairs = needed_pairs(test, state.looks)
        reason = (
            f"{len(ready)} of {len(seen)} devices know {pairs} outcomes after "
            f"{plan.deadline_hours:g} h; {wanted} were wanted"
        )
        return _step("stop", now, reason) if late else None
    look = compare(ready, test)
    text = f"errors are {look.ratio:.4g} of the champion's on {look.devices} devices"
    if look.verdict == "no worse":
        return _onward(plan, state, now, f"{text}, no worse", look)
    if look.verdict == "worse":
        return _step("stop", now, f"{text}, worse than the margin", **look.evidence)
    if state.looks + 1 == test.looks:
        said = f"{text}, not shown to be no worse in {test.looks} looks"
        return _step("stop", now, said, **look.evidence)
    return _step("look", now, f"{text}, which shows nothing yet", **look.evidence)


def _onward(
    plan: Rollout, state: Standing, now: datetime, reason: str, look: Look | None = None
) -> RolloutStep:
    last = state.stage + 1 == stage_count(plan)
    evidence = look.evidence if look else {}
    return _step("complete" if last else "advance", now, reason, **evidence)


def _failures(failed: list[Observed], count: int) -> str:
    first = next((each.reason for each in failed if each.reason), "no reason given")
    return f"{len(failed)} of {count} devices failed, the first: {first}"


def _step(act: RolloutAct, now: datetime, reason: str, **evidence: float) -> RolloutStep:
    numbers = {name: float(value) for name, value in evidence.items() if math.isfinite(value)}
    return RolloutStep(act=act, at=now, by=RULE, reason=reason, evidence=numbers)
