"""The rollout as a state machine: single steps, and properties over any fleet and course."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import (
    Device,
    ErrorTest,
    Observed,
    Rollout,
    RolloutAct,
    RolloutStep,
    StoreError,
)
from loopcast.fleet.cohorts import reached, stage_count, stages
from loopcast.fleet.rollout import Standing, after, decide, standing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEST = ErrorTest(pairs=10, looks=2)
WAITING = Observed(health="waiting")
FAILED = Observed(health="failed", reason="golden vectors differ")


def plan(**fields: Any) -> Rollout:
    common: dict[str, Any] = {
        "name": "march", "logical_model": "demand", "segment": "", "sequence": 2,
        "cohorts": (0.2, 0.5, 1.0), "test": None, "deadline_hours": 24.0, "tolerated": 0.1,
    }  # fmt: skip
    return Rollout(**common | fields)


def step(act: RolloutAct, hours: float = 0.0) -> RolloutStep:
    return RolloutStep(act=act, at=NOON + timedelta(hours=hours), by="ann", reason="r")


def healthy(ratio: float = 1.0, pairs: int = 10) -> Observed:
    return Observed(health="healthy", pairs=pairs, error=ratio * pairs, champion_error=pairs)


def fleet(count: int, **labels: str) -> list[Device]:
    return [Device(name=f"meter-{i}", enrolled=NOON, labels=labels) for i in range(count)]


RUNNING = standing([step("begin")])


def act_of(plan: Rollout, devices: Sequence[Observed], hours: float = 1.0, **state: Any) -> str:
    before = standing([step("begin")] + [step("look")] * state.get("looks", 0))
    found = decide(plan, before, devices, NOON + timedelta(hours=hours))
    return found.act if found else "wait"


class TestCohorts:
    def test_shares_grow_and_reach_everyone(self) -> None:
        found = stages(plan(), fleet(20))
        assert [len(reached(found, stage)) for stage in range(3)] == [4, 10, 20]

    def test_order_is_the_rollouts_own(self) -> None:
        one, two = (reached(stages(plan(name=name), fleet(50)), 0) for name in ("one", "two"))
        assert one != two
        assert one == reached(stages(plan(name="one"), reversed(fleet(50))), 0)

    def test_rings_come_in_order_and_the_others_last(self) -> None:
        devices = [
            Device(name=name, enrolled=NOON, labels={"ring": ring} if ring else {})
            for name, ring in (("a", "early"), ("b", "canary"), ("c", ""), ("d", "later"))
        ]
        by_ring = plan(cohorts=(), rings=("canary", "early"))
        assert stages(by_ring, devices) == {"a": 1, "b": 0, "c": 2, "d": 2}
        assert stage_count(by_ring) == 3

    def test_only_labelled_devices_that_still_take_part(self) -> None:
        north, south = fleet(2, region="north"), fleet(3, region="south")
        gone = Device(name="gone", enrolled=NOON, labels={"region": "north"}, revoked=NOON)
        found = stages(plan(select={"region": "north"}), [*north, gone])
        assert set(found) == {"meter-0", "meter-1"}
        assert stages(plan(select={"region": "north"}), south) == {}


class TestHealth:
    def test_waits_until_enough_are_well(self) -> None:
        assert act_of(plan(), [healthy()] * 8 + [WAITING] * 2) == "wait"
        assert act_of(plan(), [healthy()] * 9 + [WAITING]) == "advance"

    def test_one_failure_more_than_tolerated_stops(self) -> None:
        assert act_of(plan(), [healthy()] * 9 + [FAILED]) == "advance"
        assert act_of(plan(), [FAILED] * 2 + [WAITING] * 8) == "stop"

    def test_the_reason_names_a_failure(self) -> None:
        found = decide(plan(), RUNNING, [FAILED] * 3, NOON)
        assert found is not None
        assert found.reason == "3 of 3 devices failed, the first: golden vectors differ"

    def test_silent_devices_do_not_keep_it_for_ever(self) -> None:
        silent = [healthy()] * 5 + [WAITING] * 5
        assert [act_of(plan(), silent, hours) for hours in (23.9, 24.0)] == ["wait", "stop"]

    def test_a_stage_lasts_as_long_as_stated(self) -> None:
        held = plan(hold_hours=6.0)
        assert [act_of(held, [healthy()] * 4, hours) for hours in (5.9, 6.0)] == ["wait", "advance"]

    def test_failures_do_not_wait_for_the_hold(self) -> None:
        assert act_of(plan(hold_hours=6.0), [FAILED] * 4, 0.1) == "stop"


class TestErrors:
    def test_no_worse_goes_on(self) -> None:
        assert act_of(plan(test=TEST), [healthy(0.9), healthy(0.91), healthy(0.92)]) == "advance"

    def test_worse_stops_though_all_are_well(self) -> None:
        assert act_of(plan(test=TEST), [healthy(1.4), healthy(1.5), healthy(1.45)]) == "stop"

    def test_waits_for_outcomes_until_the_deadline(self) -> None:
        few = [healthy(pairs=9)] * 4
        assert [act_of(plan(test=TEST), few, h) for h in (1.0, 24.0)] == ["wait", "stop"]

    def test_looks_again_with_twice_the_outcomes_and_then_stops(self) -> None:
        unclear = [healthy(0.5, 20), healthy(1.0, 20), healthy(1.9, 20)]
        assert act_of(plan(test=TEST), unclear) == "look"
        assert act_of(plan(test=TEST), [healthy(pairs=19)] * 3, looks=1) == "wait"
        assert act_of(plan(test=TEST), unclear, looks=1) == "stop"


class TestPeople:
    def test_time_that_it_was_paused_does_not_count(self) -> None:
        steps = [step("begin"), step("pause", 5.0), step("resume", 45.0)]
        state = standing(steps)
        assert state.since == NOON + timedelta(hours=40)
        waiting = [WAITING] * 4
        assert decide(plan(), state, waiting, NOON + timedelta(hours=63)) is None
        late = decide(plan(), state, waiting, NOON + timedelta(hours=64))
        assert late is not None
        assert late.act == "stop"

    def test_nothing_happens_by_rule_while_paused(self) -> None:
        paused = standing([step("begin"), step("pause")])
        assert decide(plan(), paused, [FAILED] * 4, NOON + timedelta(days=9)) is None

    @pytest.mark.parametrize(
        ("before", "act"),
        [((), "pause"), (("begin",), "resume"), (("begin", "stop"), "abort"),
         (("begin", "pause"), "advance"), (("begin", "begin"), "look")],
    )  # fmt: skip
    def test_what_cannot_follow_is_refused(
        self, before: Sequence[RolloutAct], act: RolloutAct
    ) -> None:
        with pytest.raises(StoreError, match="cannot"):
            after(standing(map(step, before)), step(act))

    def test_a_complete_rollout_can_be_taken_back(self) -> None:
        assert standing([step("begin"), step("complete"), step("abort")]).taken_back


SEEN = st.builds(
    Observed,
    health=st.sampled_from(["healthy", "healthy", "healthy", "failed", "waiting"]),
    pairs=st.sampled_from([0, 10, 20, 40]),
    error=st.floats(0.0, 30.0),
    champion_error=st.floats(0.0, 30.0),
)
PLANS = st.builds(
    plan,
    cohorts=st.sampled_from([(1.0,), (0.1, 1.0), (0.2, 0.5, 1.0)]),
    enough=st.sampled_from([0.5, 0.9]),
    tolerated=st.sampled_from([0.0, 0.1]),
    test=st.none() | st.just(TEST),
)


@given(PLANS, st.lists(SEEN, min_size=1, max_size=40), st.data())
def test_any_course(plan: Rollout, devices: list[Observed], data: st.DataObject) -> None:
    """Every course ends in time, and goes on only with enough devices that are well."""
    members = stages(plan, fleet(len(devices)))
    seen = dict(zip(members, devices, strict=True))
    steps, now = [step("begin")], NOON
    while not standing(steps).over:
        state = standing(steps)
        now += timedelta(hours=data.draw(st.sampled_from([0.5, 3.0, 24.0])))
        in_reach = [seen[name] for name in reached(members, state.stage)]
        found = decide(plan, state, in_reach, now)
        if found is None:
            assert now - (state.since or NOON) < timedelta(hours=plan.deadline_hours)
            continue
        if found.act in {"advance", "complete"}:
            well = sum(each.health == "healthy" for each in in_reach)
            bad = sum(each.health == "failed" for each in in_reach)
            assert well >= plan.enough * len(in_reach)
            assert bad <= plan.tolerated * len(in_reach)
        steps.append(found)
    most_looks = plan.test.looks if plan.test else 0
    assert len(steps) <= 1 + (1 + most_looks) * stage_count(plan)
    end = standing(steps)
    assert end.phase in {"complete", "stopped"}
    if end.phase == "complete":
        assert len(reached(members, end.stage)) == len(devices)


ACTS = st.sampled_from(["pause", "resume", "abort", "advance", "look", "stop"])


@given(st.lists(ACTS, max_size=9))
def test_impossible_steps_leave_the_state(acts: list[RolloutAct]) -> None:
    """Whatever is tried in whatever order, only what is possible changes anything."""
    state: Standing = standing([step("begin")])
    for hours, act in enumerate(acts):
        try:
            following = after(state, step(act, float(hours)))
        except StoreError:
            continue
        assert not state.taken_back
        assert following.stage >= state.stage
        assert (following.paused is not None) == (following.phase == "paused")
        state = following
